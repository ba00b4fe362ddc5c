import { bucketIndexes, type FloatHistogram, type HistogramSpan } from '../../model/index.ts';
import { hasCustomBuckets, sameBounds } from './custom-bounds.ts';

/**
 * Whether two histograms hold the same data, empty buckets that are written out included (`FloatHistogram.Equals`). NaN
 * equals NaN, 0 is not −0; counter reset hints do not matter.
 */
export function equalHistograms(a: FloatHistogram, b: FloatHistogram): boolean {
  return (
    a.schema === b.schema &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    a.zeroThreshold === b.zeroThreshold &&
    Object.is(a.zeroCount, b.zeroCount) &&
    (!hasCustomBuckets(a) || sameBounds(a.customValues, b.customValues)) &&
    equalCounts(a.positiveBuckets, b.positiveBuckets) &&
    equalCounts(a.negativeBuckets, b.negativeBuckets) &&
    equalBuckets(a.positiveSpans, b.positiveSpans) &&
    equalBuckets(a.negativeSpans, b.negativeSpans)
  );
}

function equalCounts(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((count, i) => Object.is(count, b[i]));
}

/** The same buckets, however the spans are cut. */
function equalBuckets(a: readonly HistogramSpan[], b: readonly HistogramSpan[]): boolean {
  if (a === b) return true;
  const indexes = bucketIndexes(b);
  return bucketIndexes(a).every((index, i) => index === indexes[i]);
}
