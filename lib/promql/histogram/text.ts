import { bucketBound, bucketIndexes, type FloatHistogram, formatGeneral } from '../../model/index.ts';
import { hasCustomBuckets } from './custom-bounds.ts';

/** A histogram as `FloatHistogram.String` writes it, `{count:2, sum:3, (1,2]:2}`: a label value of `count_values`. */
export function histogramText(histogram: FloatHistogram): string {
  const { zeroThreshold, zeroCount, positiveBuckets, negativeBuckets } = histogram;
  const parts = [`count:${formatGeneral(histogram.count)}`, `sum:${formatGeneral(histogram.sum)}`];
  const add = (open: '[' | '(', lower: number, upper: number, close: ']' | ')', count: number): void => {
    if (count === 0) return;
    parts.push(`${open}${formatGeneral(lower)},${formatGeneral(upper)}${close}:${formatGeneral(count)}`);
  };
  const negative = bucketIndexes(histogram.negativeSpans);
  for (let i = negative.length - 1; i >= 0; i--) {
    const index = negative[i]!;
    add('[', -bucketBound(histogram, index), -bucketBound(histogram, index - 1), ')', negativeBuckets[i]!);
  }
  add('[', -zeroThreshold, zeroThreshold, ']', zeroCount);
  for (const [i, index] of bucketIndexes(histogram.positiveSpans).entries()) {
    const open = hasCustomBuckets(histogram) && index === 0 ? '[' : '(';
    add(open, bucketBound(histogram, index - 1), bucketBound(histogram, index), ']', positiveBuckets[i]!);
  }
  return `{${parts.join(', ')}}`;
}
