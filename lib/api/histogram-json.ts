import type { FloatHistogram, HistogramSpan } from '../model/index.ts';
import { sampleFloat } from './json-numbers.ts';

/** How a bucket's bounds belong to it, in the API's numbers. */
const OPEN_LEFT = 0;
const OPEN_RIGHT = 1;
const CLOSED = 3;

const CUSTOM_BUCKETS_SCHEMA = -53;

/** A native histogram as `jsonutil.MarshalHistogram` writes it: its non-empty buckets from the lowest to the highest. */
export function histogramJson(histogram: FloatHistogram): string {
  const buckets: string[] = [];
  const add = (boundaries: number, lower: number, upper: number, count: number) => {
    if (count === 0) return;
    buckets.push(`[${boundaries},"${sampleFloat(lower)}","${sampleFloat(upper)}","${sampleFloat(count)}"]`);
  };
  const negative = bucketIndexes(histogram.negativeSpans);
  for (let i = negative.length - 1; i >= 0; i--) {
    const index = negative[i]!;
    const { schema } = histogram;
    add(
      OPEN_RIGHT,
      -exponentialBound(index, schema),
      -exponentialBound(index - 1, schema),
      histogram.negativeBuckets[i]!,
    );
  }
  add(CLOSED, -histogram.zeroThreshold, histogram.zeroThreshold, histogram.zeroCount);
  bucketIndexes(histogram.positiveSpans).forEach((index, i) => {
    add(OPEN_LEFT, upperBound(histogram, index - 1), upperBound(histogram, index), histogram.positiveBuckets[i]!);
  });
  const list = buckets.length === 0 ? '' : `,"buckets":[${buckets.join(',')}]`;
  return `{"count":"${sampleFloat(histogram.count)}","sum":"${sampleFloat(histogram.sum)}"${list}}`;
}

/** The index of each bucket. A span's offset counts from the end of the one before. */
function bucketIndexes(spans: readonly HistogramSpan[]): number[] {
  const indexes: number[] = [];
  let index = 0;
  for (const span of spans) {
    index += span.offset;
    for (let i = 0; i < span.length; i++) indexes.push(index++);
  }
  return indexes;
}

function upperBound({ schema, customValues }: FloatHistogram, index: number): number {
  if (schema !== CUSTOM_BUCKETS_SCHEMA) return exponentialBound(index, schema);
  if (index < 0) return -Infinity;
  return index < customValues.length ? customValues[index]! : Infinity;
}

/** 2^(index × 2^-schema): whole powers apart, so that they stay exact. */
function exponentialBound(index: number, schema: number): number {
  if (schema <= 0) return 2 ** (index * 2 ** -schema);
  const perPower = 2 ** schema;
  const whole = Math.floor(index / perPower);
  return 2 ** ((index - whole * perPower) / perPower) * 2 ** whole;
}
