import {
  bucketBound,
  bucketIndexes,
  CUSTOM_BUCKETS_SCHEMA,
  type FloatHistogram,
  formatGeneral,
} from '../../lib/model/index.ts';

/** A native histogram as Prometheus prints it, with its non-empty buckets: `{count:3, sum:4.5, [-0.1,0.1]:1, (1,2]:2}`. */
export function histogramText(histogram: FloatHistogram): string {
  const count = (value: number): string => (histogram.integer ? String(value) : formatGeneral(value));
  let out = `{count:${count(histogram.count)}, sum:${formatGeneral(histogram.sum)}`;
  const add = (lower: number, upper: number, ends: string, value: number): void => {
    if (value !== 0) out += `, ${ends[0]!}${formatGeneral(lower)},${formatGeneral(upper)}${ends[1]!}:${count(value)}`;
  };
  const { schema, zeroThreshold, negativeBuckets, positiveBuckets } = histogram;
  const negative = bucketIndexes(histogram.negativeSpans);
  for (let i = negative.length - 1; i >= 0; i--) {
    const index = negative[i]!;
    add(-bucketBound(histogram, index), -bucketBound(histogram, index - 1), '[)', negativeBuckets[i]!);
  }
  add(-zeroThreshold, zeroThreshold, '[]', histogram.zeroCount);
  bucketIndexes(histogram.positiveSpans).forEach((index, i) => {
    const lower = bucketBound(histogram, index - 1);
    // Of custom buckets the first is closed; of exponential ones none that lies above zero.
    const ends = schema === CUSTOM_BUCKETS_SCHEMA && index === 0 ? '[]' : '(]';
    add(lower, bucketBound(histogram, index), ends, positiveBuckets[i]!);
  });
  return `${out}}`;
}
