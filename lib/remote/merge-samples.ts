import { type FloatHistogram, SampleColumns } from '../model/index.ts';

/**
 * Keeps of the samples from index `start` on only those in [minTimeMs, maxTimeMs].
 * @returns false when their timestamps do not strictly rise
 */
export function keepRange(columns: SampleColumns, start: number, minTimeMs: number, maxTimeMs: number): boolean {
  const { timestamps, values, histograms, length } = columns;
  for (let i = start + 1; i < length; i++) if (timestamps[i]! <= timestamps[i - 1]!) return false;
  let end = length;
  while (end > start && timestamps[end - 1]! > maxTimeMs) end--;
  let from = start;
  while (from < end && timestamps[from]! < minTimeMs) from++;
  if (from > start) {
    timestamps.copyWithin(start, from, end);
    values.copyWithin(start, from, end);
    histograms?.copyWithin(start, from, end);
  }
  truncate(columns, start + end - from);
  return true;
}

/** Samples of the first run while two runs are merged. */
const held = new SampleColumns();

/**
 * Merges the sorted runs [start, middle) and [middle, length) in place. Of equal timestamps the first run's sample stays.
 * Which counter resets lie between histograms of different runs is not known, and the later one says so (storage/merge.go,
 * `chainSampleIterator`). Runs that do not overlap, the usual case, cost one comparison.
 */
export function mergeRuns(columns: SampleColumns, start: number, middle: number): void {
  const { timestamps, length } = columns;
  if (middle === start || middle === length) return;
  if (timestamps[middle - 1]! < timestamps[middle]!) {
    forgetReset(columns, middle);
    return;
  }
  copy(columns, start, middle, held);
  const count = middle - start;
  let first = 0;
  let second = middle;
  let out = start;
  let last: SampleColumns | undefined;
  const take = (from: SampleColumns, index: number): void => {
    move(from, index, columns, out);
    if (last !== from) forgetReset(columns, out);
    last = from;
    out++;
  };
  // `out` never passes `second`: as many were taken from the first run as there is room before it.
  while (first < count || second < length) {
    const order =
      (first < count ? held.timestamps[first]! : Infinity) - (second < length ? timestamps[second]! : Infinity);
    if (order <= 0) {
      take(held, first++);
      if (order === 0) second++;
    } else {
      take(columns, second++);
    }
  }
  truncate(columns, out);
  held.clear();
}

/** Makes `into` samples [from, to) of `columns`. */
function copy({ timestamps, values, histograms }: SampleColumns, from: number, to: number, into: SampleColumns): void {
  into.clear();
  into.reserve(to - from);
  into.timestamps.set(timestamps.subarray(from, to));
  into.values.set(values.subarray(from, to));
  into.histograms = histograms?.slice(from, to);
  into.length = to - from;
}

function move(from: SampleColumns, index: number, to: SampleColumns, at: number): void {
  to.timestamps[at] = from.timestamps[index]!;
  to.values[at] = from.values[index]!;
  if (to.histograms !== undefined) to.histograms[at] = from.histograms?.[index];
}

function truncate(columns: SampleColumns, length: number): void {
  columns.length = length;
  if (columns.histograms !== undefined && columns.histograms.length > length) columns.histograms.length = length;
}

function forgetReset({ histograms }: SampleColumns, index: number): void {
  const histogram: FloatHistogram | undefined = histograms?.[index];
  if (histogram === undefined || histogram.counterResetHint === 'gauge') return;
  histograms![index] = { ...histogram, counterResetHint: 'unknown' };
}
