import { bucketIndexes, type HistogramSpan } from '../model/index.ts';

/** The buckets of two histograms of one schema, put together. */
export interface MergedBuckets {
  /** Of all buckets that one of the two has, adjacent spans joined. */
  readonly spans: readonly HistogramSpan[];
  readonly count: number;
  /** Where each bucket of the first and of the second lies among them. */
  readonly first: Uint32Array;
  readonly second: Uint32Array;
}

/** How many buckets spans describe. */
export function countBuckets(spans: readonly HistogramSpan[]): number {
  let count = 0;
  for (const span of spans) count += span.length;
  return count;
}

/** Whether spans are written alike, which is more than describing the same buckets. */
export function sameSpans(a: readonly HistogramSpan[], b: readonly HistogramSpan[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i]!.offset !== b[i]!.offset || a[i]!.length !== b[i]!.length) return false;
  }
  return true;
}

export function sameValues(a: Float64Array, b: Float64Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** expandSpansBothWays of tsdb/chunkenc/histogram_meta.go, its inserts told as places. */
export function mergeBuckets(
  firstSpans: readonly HistogramSpan[],
  secondSpans: readonly HistogramSpan[],
): MergedBuckets {
  const a = bucketIndexes(firstSpans);
  const b = bucketIndexes(secondSpans);
  const first = new Uint32Array(a.length);
  const second = new Uint32Array(b.length);
  const spans: { offset: number; length: number }[] = [];
  let end = 0;
  let count = 0;
  for (let i = 0, j = 0; i < a.length || j < b.length; count++) {
    const index = Math.min(a[i] ?? Infinity, b[j] ?? Infinity);
    if (a[i] === index) first[i++] = count;
    if (b[j] === index) second[j++] = count;
    const open = spans.at(-1);
    if (open !== undefined && index === end) open.length++;
    else spans.push({ offset: index - end, length: 1 });
    end = index + 1;
  }
  return { spans, count, first, second };
}

/**
 * Whether counts went back between two samples of a counter: a bucket shrank, or one that counted is gone
 * (expandFloatSpansAndBuckets of tsdb/chunkenc/float_histogram.go).
 */
export function bucketsReset(merged: MergedBuckets, before: Float64Array, after: Float64Array): boolean {
  const { first, second } = merged;
  for (let i = 0, j = 0; i < first.length; i++) {
    while (j < second.length && second[j]! < first[i]!) j++;
    if (second[j] === first[i] ? before[i]! > after[j]! : before[i] !== 0) return true;
  }
  return false;
}

/** Counts spread to their places among `count` buckets; the others are 0. */
export function spread(counts: Float64Array, places: Uint32Array, count: number): Float64Array {
  if (counts.length === count) return counts;
  const wide = new Float64Array(count);
  for (let i = 0; i < places.length; i++) wide[places[i]!] = counts[i]!;
  return wide;
}
