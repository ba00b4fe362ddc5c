import type { FloatHistogram, HistogramSpan } from './sample.ts';

/** Schema of histograms whose bucket bounds are listed (native histograms with custom buckets). */
export const CUSTOM_BUCKETS_SCHEMA = -53;

/**
 * 2^(1/2), 2^(1/4) … 2^(1/256) as Prometheus has them (model/histogram/generic.go): some are an ulp or two off the true
 * roots. The products of those whose bit is set in an index, from the largest, are exactly its table of 256 bounds.
 */
const ROOTS = [
  1.414213562373095, 1.189207115002721, 1.0905077326652577, 1.0442737824274138, 1.0218971486541166, 1.0108892860517005,
  1.0054299011128027, 1.0027112750502025,
];

/** The index of each bucket of some spans. A span's offset counts from the end of the one before. */
export function bucketIndexes(spans: readonly HistogramSpan[]): number[] {
  const indexes: number[] = [];
  let index = 0;
  for (const span of spans) {
    index += span.offset;
    for (let i = 0; i < span.length; i++) indexes.push(index++);
  }
  return indexes;
}

/** The spans of buckets whose ascending indexes are given. */
export function bucketSpans(indexes: readonly number[]): HistogramSpan[] {
  const spans: { offset: number; length: number }[] = [];
  let end = 0;
  for (const index of indexes) {
    const open = spans.at(-1);
    if (open !== undefined && index === end) open.length++;
    else spans.push({ offset: index - end, length: 1 });
    end = index + 1;
  }
  return spans;
}

/** What bounds depend on. */
export type BucketLayout = Pick<FloatHistogram, 'schema' | 'customValues'>;

/** Upper bound of the positive bucket `index`, to the bit as Prometheus computes it (`getBound`). */
export function bucketBound({ schema, customValues }: BucketLayout, index: number): number {
  if (schema !== CUSTOM_BUCKETS_SCHEMA) return exponentialBound(index, schema);
  if (index < 0) return -Infinity;
  return index < customValues.length ? customValues[index]! : Infinity;
}

/** 2^(index × 2^-schema). The bucket that would end at 2^1024 ends at the largest float; the next is that of infinities. */
function exponentialBound(index: number, schema: number): number {
  const power = Math.floor(index * 2 ** -schema);
  const withinPower = schema <= 0 ? 0 : index - power * 2 ** schema;
  if (power === 1024 && withinPower === 0) return Number.MAX_VALUE;
  let fraction = 0.5;
  for (let root = 0; root < schema; root++) if ((withinPower >> (schema - 1 - root)) & 1) fraction *= ROOTS[root]!;
  // In two exact steps and one that rounds: neither factor may overflow, nor be subnormal itself.
  return power >= 0 ? fraction * 2 * 2 ** power : fraction * 2 ** (power + 101) * 2 ** -100;
}
