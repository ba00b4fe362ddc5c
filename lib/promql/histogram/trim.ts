import { bucketBound, bucketIndexes, type FloatHistogram } from '../../model/index.ts';
import { compacted } from './arithmetic.ts';
import { type Bounds, fractionBelow } from './bucket-fraction.ts';
import { hasCustomBuckets } from './custom-bounds.ts';

/** Which observations stay: those below the value of the operator, or those above it. */
export type TrimSide = 'below' | 'above';

/** What stays of a bucket, and where those observations are taken to lie for the sum. */
interface Kept {
  readonly count: number;
  readonly midpoint: number;
}

const NOTHING: Kept = { count: 0, midpoint: 0 };

/**
 * `histogram </ value` and `histogram >/ value` (`FloatHistogram.TrimBuckets`). A bucket that holds the value is cut in
 * two; when anything goes, count and sum are estimated anew from the buckets.
 */
export function trimmed(histogram: FloatHistogram, value: number, side: TrimSide): FloatHistogram {
  const isCustom = hasCustomBuckets(histogram);
  const { zeroThreshold } = histogram;
  let count = 0;
  let sum = 0;
  const hasBuckets = { positive: false, negative: false };
  const keep = (kept: Kept): number => {
    count += kept.count;
    sum += kept.midpoint * kept.count;
    return kept.count;
  };
  const trimSide = (sign: 1 | -1, indexes: readonly number[], counts: Float64Array): Float64Array =>
    counts.map((before, i) => {
      if (before === 0) return before;
      hasBuckets[sign > 0 ? 'positive' : 'negative'] = true;
      const near = bucketBound(histogram, indexes[i]! - 1);
      const far = bucketBound(histogram, indexes[i]!);
      const bounds = sign > 0 ? { lower: near, upper: far } : { lower: -far, upper: -near };
      return keep(keptOfBucket({ ...bounds, count: before, sign, isCustom }, value, side));
    });
  const positiveBuckets = trimSide(1, bucketIndexes(histogram.positiveSpans), histogram.positiveBuckets);
  const negativeBuckets = trimSide(-1, bucketIndexes(histogram.negativeSpans), histogram.negativeBuckets);
  let { zeroCount } = histogram;
  if (zeroCount > 0) {
    const lower = hasBuckets.positive && !hasBuckets.negative ? 0 : -zeroThreshold;
    const upper = hasBuckets.negative && !hasBuckets.positive ? 0 : zeroThreshold;
    zeroCount = keep(keptOfZeroBucket({ lower, upper }, zeroCount, value, side));
  }
  const isUnchanged =
    // What is not above 0, NaN too, was not looked at.
    (!(histogram.zeroCount > 0) || zeroCount === histogram.zeroCount) &&
    positiveBuckets.every((kept, i) => kept === histogram.positiveBuckets[i]) &&
    negativeBuckets.every((kept, i) => kept === histogram.negativeBuckets[i]);
  if (isUnchanged) return histogram;
  const { integer: _, ...floats } = histogram;
  return compacted({ ...floats, count, sum, zeroCount, positiveBuckets, negativeBuckets });
}

interface Bucket extends Bounds {
  readonly count: number;
  readonly sign: 1 | -1;
  readonly isCustom: boolean;
}

function keptOfBucket(bucket: Bucket, value: number, side: TrimSide): Kept {
  const { lower, upper, count } = bucket;
  const isWhole = side === 'below' ? upper <= value : lower >= value;
  if (isWhole) return { count, midpoint: midpointOf(bucket, bucket) };
  const isCut = side === 'below' ? lower < value : upper > value;
  if (!isCut) return NOTHING;
  if (lower === -Infinity) return keptFromMinusInfinity(bucket, value, side);
  if (upper === Infinity) return keptToInfinity(bucket, value, side);
  let below = count;
  if (value <= lower) below = 0;
  else if (value < upper) below = count * fractionBelow(value, bucket, bucket.isCustom);
  if (side === 'below') return { count: below, midpoint: midpointOf({ lower, upper: value }, bucket) };
  return { count: count - below, midpoint: midpointOf({ lower: value, upper }, bucket) };
}

/** Nothing is known of how observations spread over a bucket without end, but where it is taken to begin at 0. */
function keptFromMinusInfinity({ upper, count }: Bucket, value: number, side: TrimSide): Kept {
  const isFinite = upper !== Infinity;
  if (side === 'below') {
    if (value > 0 && upper > 0 && isFinite) return { count: (count * value) / upper, midpoint: value / 2 };
    return upper <= 0 ? { count, midpoint: value } : NOTHING;
  }
  if (value >= 0 && isFinite) return { count: count * (1 - value / upper), midpoint: (value + upper) / 2 };
  return NOTHING;
}

function keptToInfinity({ lower, count }: Bucket, value: number, side: TrimSide): Kept {
  return side === 'above' && value >= lower ? { count, midpoint: value } : NOTHING;
}

function keptOfZeroBucket({ lower, upper }: Bounds, count: number, value: number, side: TrimSide): Kept {
  const isBelow = value <= lower;
  if (isBelow || value >= upper) {
    return isBelow === (side === 'above') ? { count, midpoint: (lower + upper) / 2 } : NOTHING;
  }
  const width = side === 'below' ? value - lower : upper - value;
  const midpoint = side === 'below' ? (lower + value) / 2 : (value + upper) / 2;
  return { count: (count * width) / (upper - lower), midpoint };
}

/** Where the observations between two bounds lie on average: in the middle, for exponential buckets the geometric one. */
function midpointOf({ lower, upper }: Bounds, { sign, isCustom }: Bucket): number {
  if (Math.abs(lower) === Infinity) {
    if (Math.abs(upper) === Infinity) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (Math.abs(upper) === Infinity) return lower;
  if (isCustom) return (lower + upper) / 2;
  return sign * Math.sqrt(Math.abs(lower * upper));
}
