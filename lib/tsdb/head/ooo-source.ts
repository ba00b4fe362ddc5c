import { PromletError } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import type { Pace } from '../pace.ts';
import type { CompactionSource, SourceSeries } from '../compact/source.ts';
import type { ChunkFilePlace } from './chunk-block.ts';
import type { ChunkMapper } from './chunk-mapper.ts';
import type { Head } from './head.ts';
import { headSymbols } from './head-source.ts';
import { deletedIntervals } from './head-tombstones.ts';
import type { HeadView } from './head-view.ts';
import { orderByLabels } from './label-order.ts';
import type { OutOfOrderReader } from './ooo-reader.ts';

/** Series that are completed and mapped in one go. */
const SLICE_SERIES = 256;

/** The out-of-order samples that go into blocks, which is what then leaves the head. */
export interface OutOfOrderPart {
  readonly refs: Uint32Array;
  /** Of the newest chunk among them: pass it to `OutOfOrderHead.truncate` when the blocks are there. */
  readonly last: ChunkFilePlace;
  /** Of all samples, both inclusive. */
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

/**
 * Completes all out-of-order chunks and puts them on file (`NewOOOCompactionHead` of tsdb/ooo_head_read.go). Before it, start
 * a new segment of their log: what is below can go with `last`.
 * @returns undefined when there is nothing to compact
 * @throws PromletError `storage/head-chunk-write` when the chunks cannot be written: try again later
 */
export async function beginOutOfOrderCompaction(
  head: Head,
  mapper: ChunkMapper,
  pace: Pace,
): Promise<OutOfOrderPart | undefined> {
  const { outOfOrder, root } = head;
  const refs = Uint32Array.from(outOfOrder.series());
  for (let from = 0; from < refs.length; from += SLICE_SERIES) {
    const slice = refs.subarray(from, from + SLICE_SERIES);
    root.beginWrite();
    for (const ref of slice) outOfOrder.complete(ref);
    root.endWrite();
    if (!mapper.mapOutOfOrder(slice)) {
      throw new PromletError('storage/head-chunk-write', 'cannot write out-of-order chunks to file before compaction');
    }
    await pace();
  }
  const { last, minTimeMs, maxTimeMs } = outOfOrder.onFile();
  return last === undefined ? undefined : { refs, last, minTimeMs, maxTimeMs };
}

/**
 * Some of the part's samples as compaction reads them, on any thread: those within [minMs, maxMs). Chunks of a series may
 * overlap, and reach beyond the range.
 * @param reader of the view
 */
export function outOfOrderSource(
  view: HeadView,
  reader: OutOfOrderReader,
  part: OutOfOrderPart,
  minMs: number,
  maxMs: number,
): CompactionSource {
  const all = view.read(() => view.allSeries().slice());
  const wanted = new Set(view.read(() => part.refs.filter((ref) => reader.overlaps(ref, minMs, maxMs - 1))));
  const byLabels = orderByLabels(view, all);
  return {
    minTimeMs: minMs,
    maxTimeMs: maxMs,
    overlapping: true,
    symbols: () => headSymbols(all, byLabels.symbols),
    *series() {
      for (const index of byLabels.order) {
        const ref = all[index]!;
        const series = wanted.has(ref) ? seriesOf(view, ref) : undefined;
        if (series !== undefined) yield { ...series, chunks: reader.chunks(ref, minMs, maxMs - 1, part.last) };
      }
    },
  };
}

function seriesOf(view: HeadView, ref: SeriesRef): Omit<SourceSeries, 'chunks'> | undefined {
  return view.read(() => {
    const record = view.series.record(ref);
    if (record === 0) return undefined;
    return { labels: view.labels(record), deleted: deletedIntervals(view.views, view.root, ref) };
  });
}
