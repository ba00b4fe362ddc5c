import type { CompactionSource, SourceSeries } from '../compact/source.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { deletedIntervals } from './head-tombstones.ts';
import type { HeadView } from './head-view.ts';
import { orderByLabels } from './label-order.ts';

/** Series that are looked at in one read section. */
const SECTION_SIZE = 4096;

/**
 * The samples in order of a head within [minMs, maxMs), as compaction reads them, on any thread; chunks that reach beyond are
 * given whole. The series are those that have such samples when this is called, which takes some 100 ms for 100,000. It holds
 * their refs, and the texts of their labels once each.
 * @param chunks a reader of the view
 */
export function headSource(view: HeadView, chunks: ChunkReader, minMs: number, maxMs: number): CompactionSource {
  const refs = view.read(() => view.allSeries().slice());
  const isWithin = seriesWithin(view, refs, minMs, maxMs - 1);
  const { order, symbols } = orderByLabels(view, refs);
  return {
    minTimeMs: minMs,
    maxTimeMs: maxMs,
    symbols: () => headSymbols(refs, symbols),
    *series() {
      for (const index of order) {
        if (isWithin[index] === 0) continue;
        const ref = refs[index]!;
        const series = view.read((): SourceSeries | undefined => {
          const record = view.series.record(ref);
          if (record === 0) return undefined;
          const deleted = deletedIntervals(view.views, view.root, ref);
          return { labels: view.labels(record), deleted, chunks: [] };
        });
        // Removed meanwhile: then what it had is not wanted any more.
        if (series !== undefined) yield { ...series, chunks: chunks.chunks(ref, minMs, maxMs - 1) };
      }
    },
  };
}

/** The symbols of the whole head go into each block made of it, as in Prometheus. @param symbols of all its series */
export function* headSymbols(refs: Uint32Array, symbols: () => IterableIterator<string>): IterableIterator<string> {
  // The name under which it lists all series.
  if (refs.length > 0) yield '';
  yield* symbols();
}

/** Per series, 1 when it has samples in order within [minMs, maxMs]. */
function seriesWithin(view: HeadView, refs: Uint32Array, minMs: number, maxMs: number): Uint8Array {
  const isWithin = new Uint8Array(refs.length);
  for (let from = 0; from < refs.length; from += SECTION_SIZE) {
    view.read(() => {
      const { series } = view;
      for (let i = from; i < Math.min(refs.length, from + SECTION_SIZE); i++) {
        const record = series.record(refs[i]!);
        isWithin[i] = record !== 0 && series.hasSamples(record, minMs, maxMs) ? 1 : 0;
      }
    });
  }
  return isWithin;
}
