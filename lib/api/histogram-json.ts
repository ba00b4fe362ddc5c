import { bucketBound, bucketIndexes, type FloatHistogram } from '../model/index.ts';
import { sampleFloat } from './json-numbers.ts';

/** How a bucket's bounds belong to it, in the API's numbers. */
const OPEN_LEFT = 0;
const OPEN_RIGHT = 1;
const CLOSED = 3;

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
    add(OPEN_RIGHT, -bucketBound(histogram, index), -bucketBound(histogram, index - 1), histogram.negativeBuckets[i]!);
  }
  add(CLOSED, -histogram.zeroThreshold, histogram.zeroThreshold, histogram.zeroCount);
  bucketIndexes(histogram.positiveSpans).forEach((index, i) => {
    add(OPEN_LEFT, bucketBound(histogram, index - 1), bucketBound(histogram, index), histogram.positiveBuckets[i]!);
  });
  const list = buckets.length === 0 ? '' : `,"buckets":[${buckets.join(',')}]`;
  return `{"count":"${sampleFloat(histogram.count)}","sum":"${sampleFloat(histogram.sum)}"${list}}`;
}
