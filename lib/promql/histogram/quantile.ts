import { type FloatHistogram, OrderedBuckets } from '../../model/index.ts';
import { fractionBelow } from './bucket-fraction.ts';
import { hasCustomBuckets } from './custom-bounds.ts';

/** What observations of NaN did to a result; set by the functions of this file, reset by their caller. */
export class NaNNotes {
  /** The quantile lies among them. */
  isResult = false;
  /** They are counted, and lie in no bucket. */
  areCounted = false;
}

/** The φ-quantile of a native histogram, interpolated within its bucket (Prometheus `HistogramQuantile`). */
export function histogramQuantile(q: number, histogram: FloatHistogram, notes: NaNNotes): number {
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const { count: observations, sum } = histogram;
  if (observations === 0 || q !== q) return NaN;
  const buckets = new OrderedBuckets(histogram);
  // Observations of NaN are in no bucket: then only the rank from below is known.
  const isForward = sum !== sum || q < 0.5;
  let rank = (isForward ? q : 1 - q) * observations;
  let count = 0;
  let place = -1;
  let visited = 0;
  while (visited < buckets.length) {
    const next = isForward ? visited : buckets.length - 1 - visited;
    visited++;
    // The last bucket counts even when it is empty: its bounds are taken if no other is found.
    place = next;
    const inBucket = buckets.count(next);
    if (inBucket === 0) continue;
    count += inBucket;
    if (count >= rank) break;
  }
  let lower = place < 0 ? 0 : buckets.lower(place);
  let upper = place < 0 ? 0 : buckets.upper(place);
  let inBucket = place < 0 ? 0 : buckets.count(place);
  if (hasCustomBuckets(histogram)) {
    if (lower === -Infinity) {
      if (upper <= 0) return upper;
      lower = 0;
    } else if (upper === Infinity) return lower;
  } else if (lower < 0 && upper > 0) {
    // The zero bucket ends at 0 where there are observations on one side only.
    if (isOneSided(histogram, 'positive')) lower = 0;
    else if (isOneSided(histogram, 'negative')) upper = 0;
  }
  // Rounding may have made the buckets count more.
  if (count > observations) count = observations;
  if (count < rank) {
    if (sum === sum) return upper;
    notes.isResult = true;
    return NaN;
  }
  rank = isForward ? rank - (count - inBucket) : count - rank;
  if (sum !== sum) {
    for (let i = visited; i < buckets.length; i++) count += buckets.count(i);
    if (count < observations) notes.areCounted = true;
    if (visited < buckets.length) {
      // Prometheus goes on with the bucket it saw last; so do we, for the same answer.
      const last = buckets.length - 1;
      lower = buckets.lower(last);
      upper = buckets.upper(last);
      inBucket = buckets.count(last);
    }
  }
  const fraction = rank / inBucket;
  if (hasCustomBuckets(histogram) || (lower <= 0 && upper >= 0)) return lower + (upper - lower) * fraction;
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  if (lower > 0) return 2 ** (logLower + (logUpper - logLower) * fraction);
  return -(2 ** (logUpper + (logLower - logUpper) * (1 - fraction)));
}

/** Buckets of this sign are written out, and none of the other. */
function isOneSided({ positiveBuckets, negativeBuckets }: FloatHistogram, side: 'positive' | 'negative'): boolean {
  const [own, other] = side === 'positive' ? [positiveBuckets, negativeBuckets] : [negativeBuckets, positiveBuckets];
  return own.length > 0 && other.length === 0;
}

/** The share of observations between two values (Prometheus `HistogramFraction`). */
export function histogramFraction(lower: number, upper: number, histogram: FloatHistogram, notes: NaNNotes): number {
  const { count: observations, sum } = histogram;
  if (observations === 0 || lower !== lower || upper !== upper) return NaN;
  if (lower >= upper) return 0;
  const buckets = new OrderedBuckets(histogram);
  let counted = observations;
  if (sum !== sum) {
    counted = 0;
    for (let i = 0; i < buckets.length; i++) counted += buckets.count(i);
    if (counted < observations) notes.areCounted = true;
  }
  const lowerRank = Math.min(rankOf(lower, buckets, histogram) ?? counted, counted);
  const upperRank = Math.min(rankOf(upper, buckets, histogram) ?? counted, counted);
  return (upperRank - lowerRank) / observations;
}

/** How many observations lie below `value`; undefined when all buckets do. */
function rankOf(value: number, buckets: OrderedBuckets, histogram: FloatHistogram): number | undefined {
  const isCustom = hasCustomBuckets(histogram);
  let rank = 0;
  for (let i = 0; i < buckets.length; i++) {
    const count = buckets.count(i);
    let lower = buckets.lower(i);
    let upper = buckets.upper(i);
    const isZeroBucket = lower <= 0 && upper >= 0;
    if (isZeroBucket && isOneSided(histogram, 'positive')) lower = 0;
    else if (isZeroBucket && isOneSided(histogram, 'negative')) upper = 0;
    if (lower >= value) return rank;
    if (upper > value) {
      // In a bucket that begins at −∞ no place can be told; the whole of it is below.
      if (lower === -Infinity && (isCustom || isZeroBucket)) return count;
      return rank + count * fractionBelow(value, { lower, upper }, isCustom || isZeroBucket);
    }
    rank += count;
  }
  return undefined;
}
