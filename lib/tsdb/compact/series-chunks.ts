import type { Chunk, Interval } from '../../chunk/index.ts';
import { joinIntervals } from '../tombstones.ts';
import { covers, touching } from './intervals.ts';
import { keep } from './keep.ts';
import type { ChunkRecoder } from './recode.ts';
import type { SourceSeries } from './source.ts';

/**
 * The chunks of a series as they go into a block of [minMs, maxMs], without what is deleted. A chunk that needs no change
 * is handed on as it is (tsdb/querier.go, `populateWithDelChunkSeriesIterator`).
 * @returns chunks in order, each valid until the next is asked for
 */
export function* seriesChunks(
  series: SourceSeries,
  minMs: number,
  maxMs: number,
  recoder: ChunkRecoder,
): Generator<Chunk> {
  for (const chunk of series.chunks) {
    const leftOut = intervalsLeftOut(chunk, series.deleted, minMs, maxMs);
    if (leftOut === 'all') continue;
    if (leftOut.length === 0) yield chunk;
    else yield* recoder.without(chunk, leftOut);
  }
}

/** As `seriesChunks` for an out-of-order head: chunks that overlap are merged first (tsdb/ooo_head_read.go). */
export function* mergedSeriesChunks(
  series: SourceSeries,
  minMs: number,
  maxMs: number,
  recoder: ChunkRecoder,
): Generator<Chunk> {
  for (const run of overlappingRuns(series.chunks)) {
    const whole = { minTimeMs: run[0]!.minTimeMs, maxTimeMs: Math.max(...run.map((chunk) => chunk.maxTimeMs)) };
    const leftOut = intervalsLeftOut(whole, series.deleted, minMs, maxMs);
    if (leftOut === 'all') continue;
    if (run.length > 1) yield* recoder.mergeOutOfOrder(run, leftOut);
    else if (leftOut.length === 0) yield run[0]!;
    else yield* recoder.without(run[0]!, leftOut);
  }
}

/** What of a chunk is deleted or outside of [minMs, maxMs]. */
function intervalsLeftOut(
  { minTimeMs, maxTimeMs }: Interval,
  deleted: readonly Interval[],
  minMs: number,
  maxMs: number,
): readonly Interval[] | 'all' {
  if (maxTimeMs < minMs || minTimeMs > maxMs || covers(deleted, minTimeMs, maxTimeMs)) return 'all';
  const leftOut = touching(deleted, minTimeMs, maxTimeMs);
  if (minTimeMs >= minMs && maxTimeMs <= maxMs) return leftOut;
  return joinIntervals([
    { minTimeMs: -Infinity, maxTimeMs: minMs - 1 },
    ...leftOut,
    { minTimeMs: maxMs + 1, maxTimeMs: Infinity },
  ]);
}

function* overlappingRuns(chunks: Iterable<Chunk>): Generator<Chunk[]> {
  let run: Chunk[] = [];
  let maxTimeMs = -Infinity;
  for (const chunk of chunks) {
    if (run.length > 0 && chunk.minTimeMs > maxTimeMs) {
      yield run;
      run = [];
    }
    run.push(keep(chunk));
    maxTimeMs = Math.max(maxTimeMs, chunk.maxTimeMs);
  }
  if (run.length > 0) yield run;
}
