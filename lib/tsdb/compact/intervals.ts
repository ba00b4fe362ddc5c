import type { Interval } from '../../chunk/index.ts';

/** The intervals that [minTimeMs, maxTimeMs] touches. */
export function touching(intervals: readonly Interval[], minTimeMs: number, maxTimeMs: number): readonly Interval[] {
  if (intervals.length === 0) return intervals;
  return intervals.filter((interval) => interval.minTimeMs <= maxTimeMs && interval.maxTimeMs >= minTimeMs);
}

/** True when one of the intervals holds all of [minTimeMs, maxTimeMs]. */
export function covers(intervals: readonly Interval[], minTimeMs: number, maxTimeMs: number): boolean {
  return intervals.some((interval) => interval.minTimeMs <= minTimeMs && interval.maxTimeMs >= maxTimeMs);
}
