import type { SampleColumns } from '../model/index.ts';
import type { Interval } from '../chunk/index.ts';

/** Takes the samples within the intervals, which are sorted and disjoint, out of those from `from` on. */
export function dropDeleted(columns: SampleColumns, from: number, intervals: readonly Interval[]): void {
  if (intervals.length === 0) return;
  const { timestamps, values, histograms, length } = columns;
  let kept = from;
  let at = 0;
  for (let i = from; i < length; i++) {
    const timeMs = timestamps[i]!;
    while (at < intervals.length && intervals[at]!.maxTimeMs < timeMs) at++;
    if (at < intervals.length && intervals[at]!.minTimeMs <= timeMs) continue;
    timestamps[kept] = timeMs;
    values[kept] = values[i]!;
    if (histograms !== undefined) histograms[kept] = histograms[i];
    kept++;
  }
  columns.length = kept;
  if (histograms !== undefined && histograms.length > kept) histograms.length = kept;
}
