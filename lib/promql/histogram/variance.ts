import { type FloatHistogram, OrderedBuckets } from '../../model/index.ts';
import { KahanSum } from '../eval/kahan.ts';
import { hasCustomBuckets } from './custom-bounds.ts';

const squares = new KahanSum();

/** The variance of the observations, each taken to lie in the middle of its bucket (`histogramVariance` of promql). */
export function histogramVariance(histogram: FloatHistogram): number {
  const mean = histogram.sum / histogram.count;
  const buckets = new OrderedBuckets(histogram);
  const isCustom = hasCustomBuckets(histogram);
  squares.set(0, 0);
  for (let i = 0; i < buckets.length; i++) {
    const count = buckets.count(i);
    if (count === 0) continue;
    const delta = middleOf(buckets.lower(i), buckets.upper(i), isCustom) - mean;
    squares.add(count * delta * delta);
  }
  return squares.total / histogram.count;
}

/** The geometric middle of an exponential bucket, 0 for the zero bucket. */
function middleOf(lower: number, upper: number, isCustom: boolean): number {
  if (isCustom) return (upper + lower) / 2;
  if (lower <= 0 && upper >= 0) return 0;
  const middle = Math.sqrt(upper * lower);
  return upper < 0 ? -middle : middle;
}
