import type { SampleColumns } from '../model/index.ts';

/**
 * Keeps of the samples from index `start` on only those in [minTimeMs, maxTimeMs].
 * @returns false when their timestamps do not strictly rise
 */
export function keepRange(columns: SampleColumns, start: number, minTimeMs: number, maxTimeMs: number): boolean {
  const { timestamps, values, length } = columns;
  for (let i = start + 1; i < length; i++) if (timestamps[i]! <= timestamps[i - 1]!) return false;
  let end = length;
  while (end > start && timestamps[end - 1]! > maxTimeMs) end--;
  let from = start;
  while (from < end && timestamps[from]! < minTimeMs) from++;
  if (from > start) {
    timestamps.copyWithin(start, from, end);
    values.copyWithin(start, from, end);
  }
  columns.length = start + end - from;
  return true;
}

/** Grown as needed; holds the first run while two runs are merged. Timestamps, then values. */
let scratch = new Float64Array(0);

/**
 * Merges the sorted runs [start, middle) and [middle, length) in place. Of equal timestamps the first run's sample stays.
 * Runs that do not overlap, the usual case, cost one comparison.
 */
export function mergeRuns(columns: SampleColumns, start: number, middle: number): void {
  const { timestamps, values, length } = columns;
  if (middle === start || middle === length || timestamps[middle - 1]! < timestamps[middle]!) return;
  const count = middle - start;
  if (scratch.length < 2 * count) scratch = new Float64Array(2 * count);
  const held = scratch;
  held.set(timestamps.subarray(start, middle), 0);
  held.set(values.subarray(start, middle), count);
  let first = 0;
  let second = middle;
  let out = start;
  // `out` never passes `second`: as many were taken from the first run as there is room before it.
  while (first < count && second < length) {
    const order = held[first]! - timestamps[second]!;
    if (order <= 0) {
      timestamps[out] = held[first]!;
      values[out++] = held[count + first++]!;
      if (order === 0) second++;
    } else {
      timestamps[out] = timestamps[second]!;
      values[out++] = values[second++]!;
    }
  }
  while (first < count) {
    timestamps[out] = held[first]!;
    values[out++] = held[count + first++]!;
  }
  timestamps.copyWithin(out, second, length);
  values.copyWithin(out, second, length);
  columns.length = out + length - second;
}
