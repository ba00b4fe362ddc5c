import {
  type FloatHistogram,
  histogramFault,
  type HistogramSpan,
  isStaleNaN,
  PromletError,
} from '../../model/index.ts';
import { MAX_HISTOGRAM_BUCKETS } from '../limits.ts';

const NO_BUCKETS = new Float64Array(0);

/**
 * Refuses what Prometheus refuses, in its words, and what no histogram of use has: more buckets than MAX_HISTOGRAM_BUCKETS.
 * @throws PromletError `storage/invalid-histogram`
 */
export function validateHistogram(histogram: FloatHistogram): void {
  const fault = sizeFault(histogram) ?? histogramFault(histogram);
  if (fault !== undefined) throw new PromletError('storage/invalid-histogram', fault);
}

function sizeFault({ positiveBuckets, negativeBuckets, positiveSpans, negativeSpans, customValues }: FloatHistogram) {
  const size = Math.max(
    positiveBuckets.length + negativeBuckets.length,
    positiveSpans.length + negativeSpans.length,
    customValues.length,
  );
  return size <= MAX_HISTOGRAM_BUCKETS
    ? undefined
    : `histogram has ${size} buckets, spans or bounds, of which ${MAX_HISTOGRAM_BUCKETS} are taken`;
}

/** Whether two histograms are the same sample (`Equals` of model/histogram): the reset hint does not count. */
export function sameHistogram(a: FloatHistogram, b: FloatHistogram): boolean {
  return (
    a.integer === b.integer &&
    a.schema === b.schema &&
    sameBits(a.count, b.count) &&
    sameBits(a.sum, b.sum) &&
    a.zeroThreshold === b.zeroThreshold &&
    sameBits(a.zeroCount, b.zeroCount) &&
    sameNumbers(a.customValues, b.customValues) &&
    sameSpans(a.negativeSpans, b.negativeSpans) &&
    sameNumbers(a.negativeBuckets, b.negativeBuckets) &&
    sameSpans(a.positiveSpans, b.positiveSpans) &&
    sameNumbers(a.positiveBuckets, b.positiveBuckets)
  );
}

/** The stale marker of a series of histograms: none but its sum counts. */
export function staleHistogram(integer: boolean, marker: number): FloatHistogram {
  return {
    ...(integer ? { integer: true } : {}),
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: marker,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: NO_BUCKETS,
    negativeBuckets: NO_BUCKETS,
    customValues: NO_BUCKETS,
  };
}

function sameNumbers(a: Float64Array, b: Float64Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!sameBits(a[i]!, b[i]!)) return false;
  return true;
}

/** Spans without buckets only move the next one. */
function sameSpans(a: readonly HistogramSpan[], b: readonly HistogramSpan[]): boolean {
  const left = joined(a);
  const right = joined(b);
  if (left.length !== right.length) return false;
  return left.every(({ offset, length }, i) => offset === right[i]!.offset && length === right[i]!.length);
}

function joined(spans: readonly HistogramSpan[]): readonly HistogramSpan[] {
  if (spans.every(({ length }) => length > 0)) return spans;
  const out: HistogramSpan[] = [];
  let skipped = 0;
  for (const { offset, length } of spans) {
    if (length === 0) {
      skipped += offset;
    } else {
      out.push({ offset: offset + skipped, length });
      skipped = 0;
    }
  }
  return out;
}

/** NaNs are the same when both or neither are the stale marker; +0 and -0 differ. */
function sameBits(a: number, b: number): boolean {
  return Object.is(a, b) && (a === a || isStaleNaN(a) === isStaleNaN(b));
}
