import type { FloatHistogram, HistogramSpan } from '../../model/index.ts';
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
    equalSpans(a.positiveSpans, b.positiveSpans) &&
    equalSpans(a.negativeSpans, b.negativeSpans)
  );
}

function equalCounts(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((count, i) => Object.is(count, b[i]));
}

/** The same spans but for empty ones. Spans that adjoin are not taken for one, as Prometheus does not either. */
function equalSpans(a: readonly HistogramSpan[], b: readonly HistogramSpan[]): boolean {
  if (a === b) return true;
  const others = withoutEmpty(b);
  const spans = withoutEmpty(a);
  return (
    spans.length === others.length &&
    spans.every(({ offset, length }, i) => {
      return offset === others[i]!.offset && length === others[i]!.length;
    })
  );
}

function withoutEmpty(spans: readonly HistogramSpan[]): readonly HistogramSpan[] {
  if (spans.every(({ length }) => length > 0)) return spans;
  const kept: HistogramSpan[] = [];
  let skipped = 0;
  for (const { offset, length } of spans) {
    if (length === 0) skipped += offset;
    else {
      kept.push({ offset: offset + skipped, length });
      skipped = 0;
    }
  }
  return kept;
}
