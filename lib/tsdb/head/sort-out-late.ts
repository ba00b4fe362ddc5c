import { AppendResult, type SeriesRef } from '../../storage/index.ts';
import type { HistogramSamples } from '../wal/histogram-record.ts';
import type { SampleBuffer } from './columns.ts';
import type { Head } from './head.ts';
import type { OutOfOrderCommit } from './ooo-commit.ts';
import type { StagedBatch } from './staged-batch.ts';

/**
 * Moves what came in order when it was staged, but does not any more, from the batches to the out-of-order samples: behind a
 * later sample of its series in this commit, or in one since. What is before `minLateMs` is dropped, and counted as too old.
 * @param late asked for when there is something to move
 */
export function sortOutLate(
  head: Head,
  batches: readonly StagedBatch[],
  minLateMs: number,
  late: () => OutOfOrderCommit,
): void {
  const newest = new Map<SeriesRef, number>();
  const isInOrder = (ref: SeriesRef, timeMs: number): boolean => {
    const record = head.table.record(ref);
    if (record === 0) return true;
    const lastMs = newest.get(ref) ?? head.table.lastTimeMs(record);
    if (timeMs < lastMs) return false;
    newest.set(ref, timeMs);
    return true;
  };
  const isLate = (timeMs: number): boolean => {
    if (timeMs >= minLateMs) return true;
    head.appendCounts[AppendResult.tooOld]!++;
    return false;
  };
  for (const { samples, histograms } of batches) {
    keepFloats(head, samples, (ref, timeMs, value) => {
      if (isInOrder(ref, timeMs)) return true;
      if (isLate(timeMs)) late().push(ref, timeMs, value);
      return false;
    });
    keepHistograms(histograms, (ref, timeMs, i) => {
      if (isInOrder(ref, timeMs)) return true;
      if (isLate(timeMs)) late().pushHistogram(ref, timeMs, histograms.histograms[i]!);
      return false;
    });
  }
}

function keepFloats(
  { kernels }: Head,
  samples: SampleBuffer,
  keep: (ref: SeriesRef, timeMs: number, value: number) => boolean,
): void {
  let kept = 0;
  for (let i = 0; i < samples.length; i++) {
    const { u32, f64 } = kernels.arena;
    const ref = u32[samples.refs / 4 + i]!;
    const timeMs = f64[samples.times / 8 + i]!;
    const value = f64[samples.values / 8 + i]!;
    if (!keep(ref, timeMs, value)) continue;
    u32[samples.refs / 4 + kept] = ref;
    f64[samples.times / 8 + kept] = timeMs;
    f64[samples.values / 8 + kept] = value;
    kept++;
  }
  samples.length = kept;
}

function keepHistograms(
  { refs, timesMs, histograms }: HistogramSamples,
  keep: (ref: SeriesRef, timeMs: number, i: number) => boolean,
): void {
  let kept = 0;
  for (let i = 0; i < refs.length; i++) {
    if (!keep(refs[i]!, timesMs[i]!, i)) continue;
    refs[kept] = refs[i]!;
    timesMs[kept] = timesMs[i]!;
    histograms[kept] = histograms[i]!;
    kept++;
  }
  refs.length = kept;
  timesMs.length = kept;
  histograms.length = kept;
}
