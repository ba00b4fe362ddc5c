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
  const refs = seriesWithin(view, minMs, maxMs - 1);
  const { order, symbols } = orderByLabels(view, refs);
  return {
    minTimeMs: minMs,
    maxTimeMs: maxMs,
    *symbols() {
      // Prometheus's heads have it, as the name under which they list all series; so have their blocks.
      if (refs.length > 0) yield '';
      yield* symbols();
    },
    *series() {
      for (const index of order) {
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

/** Refs of the series with samples in order within [minMs, maxMs]. */
function seriesWithin(view: HeadView, minMs: number, maxMs: number): Uint32Array {
  const refs = view.read(() => view.allSeries().slice());
  let count = 0;
  for (let from = 0; from < refs.length; from += SECTION_SIZE) {
    const to = Math.min(refs.length, from + SECTION_SIZE);
    const found = view.read(() => {
      const { series } = view;
      return refs.subarray(from, to).filter((ref) => {
        const record = series.record(ref);
        return record !== 0 && series.hasSamples(record, minMs, maxMs);
      });
    });
    refs.set(found, count);
    count += found.length;
  }
  return refs.slice(0, count);
}
