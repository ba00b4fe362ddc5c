import { type FloatHistogram, formatFloat, type HistogramSpan, isStaleNaN, PromletError } from '../../model/index.ts';
import { MAX_HISTOGRAM_BUCKETS } from '../limits.ts';

const CUSTOM_BUCKETS_SCHEMA = -53;
const MIN_SCHEMA = -4;
const MAX_SCHEMA = 8;
const NO_BUCKETS = new Float64Array(0);

const NEGATIVE_BUCKET = 'histogram has a bucket whose observation count is negative';
const NEGATIVE_OFFSET = 'histogram has a span whose offset is negative';
const SPANS_MISMATCH = 'histogram spans specify different number of buckets than provided';

/**
 * Refuses what Prometheus refuses, in its words (`Validate` of model/histogram), and what no histogram of use has: more
 * buckets than MAX_HISTOGRAM_BUCKETS, and integer counts that are not.
 * @throws PromletError `storage/invalid-histogram`
 */
export function validateHistogram(histogram: FloatHistogram): void {
  const fault = faultOf(histogram);
  if (fault !== undefined) throw new PromletError('storage/invalid-histogram', fault);
}

function faultOf(histogram: FloatHistogram): string | undefined {
  const { schema, positiveBuckets, negativeBuckets, count, zeroCount, sum, integer } = histogram;
  const tooLarge = sizeFault(histogram);
  if (tooLarge !== undefined) return tooLarge;
  if (schema === CUSTOM_BUCKETS_SCHEMA) {
    const fault = customBucketsFault(histogram);
    if (fault !== undefined) return fault;
  } else if (schema >= MIN_SCHEMA && schema <= MAX_SCHEMA) {
    const fault =
      named('positive side', spansFault(histogram.positiveSpans, positiveBuckets.length)) ??
      named('negative side', spansFault(histogram.negativeSpans, negativeBuckets.length)) ??
      named('negative side', bucketsFault(negativeBuckets));
    if (fault !== undefined) return fault;
    if (zeroCount < 0) return `zero bucket has observation count of ${formatFloat(zeroCount)}: ${NEGATIVE_BUCKET}`;
    if (histogram.customValues.length > 0) return 'histogram with exponential schema must not have custom bounds';
  } else {
    return (
      `histogram has an invalid schema, which must be between ${MIN_SCHEMA} and ${MAX_SCHEMA} for exponential ` +
      `buckets, or ${CUSTOM_BUCKETS_SCHEMA} for custom buckets, got schema ${schema}`
    );
  }
  if (count < 0) {
    return `observation count is  ${formatFloat(count)}: histogram's observation count is negative`;
  }
  const fault = named('positive side', bucketsFault(positiveBuckets));
  if (fault !== undefined || integer === undefined) return fault;
  return integerFault(count, zeroCount, sum, positiveBuckets, negativeBuckets);
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

function integerFault(
  count: number,
  zeroCount: number,
  sum: number,
  positiveBuckets: Float64Array,
  negativeBuckets: Float64Array,
): string | undefined {
  let found = zeroCount;
  let whole = Number.isSafeInteger(count) && Number.isSafeInteger(zeroCount);
  for (const buckets of [positiveBuckets, negativeBuckets]) {
    for (const bucket of buckets) {
      whole &&= Number.isSafeInteger(bucket);
      found += bucket;
    }
  }
  if (!whole) return 'a histogram of integers has a count that is none below 2^53';
  const counts = `${found} observations found in buckets, but the Count field is ${count}`;
  if (Number.isNaN(sum)) {
    return found > count
      ? `${counts}: histogram's observation count should be at least the number of observations found in the buckets`
      : undefined;
  }
  return found === count
    ? undefined
    : `${counts}: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)`;
}

function customBucketsFault(histogram: FloatHistogram): string | undefined {
  const { customValues, positiveSpans, positiveBuckets } = histogram;
  const fault = boundsFault(customValues, positiveSpans, positiveBuckets.length);
  if (fault !== undefined) return named('custom buckets', fault);
  if (histogram.zeroCount !== 0) return 'custom buckets: must have zero count of 0';
  if (histogram.zeroThreshold !== 0) return 'custom buckets: must have zero threshold of 0';
  if (histogram.negativeSpans.length > 0) return 'custom buckets: must not have negative spans';
  if (histogram.negativeBuckets.length > 0) return 'custom buckets: must not have negative buckets';
  return undefined;
}

function boundsFault(bounds: Float64Array, spans: readonly HistogramSpan[], buckets: number): string | undefined {
  for (let i = 0; i < bounds.length; i++) {
    const bound = bounds[i]!;
    if (Number.isNaN(bound)) return 'histogram custom bounds must not be NaN';
    if (i > 0 && bound <= bounds[i - 1]!) {
      const order = 'histogram custom bounds must be in strictly increasing order';
      return `previous bound is ${bounds[i - 1]!.toFixed(6)} and current is ${bound.toFixed(6)}: ${order}`;
    }
  }
  if (bounds.at(-1) === Infinity) {
    return 'last +Inf bound must not be explicitly defined: histogram custom bounds must be finite';
  }
  let span = 0;
  for (const [i, { offset, length }] of spans.entries()) {
    if (offset < 0) return `span number ${i + 1} with offset ${offset}: ${NEGATIVE_OFFSET}`;
    span += offset + length;
  }
  const fault = lengthsFault(spans, buckets);
  if (fault !== undefined || bounds.length + 1 >= span) return fault;
  return (
    `only ${bounds.length} custom bounds defined which is insufficient to cover total span length of ${span}: ` +
    'histogram custom bounds are too few'
  );
}

function spansFault(spans: readonly HistogramSpan[], buckets: number): string | undefined {
  for (let i = 1; i < spans.length; i++) {
    const { offset } = spans[i]!;
    if (offset < 0) return `span number ${i + 1} with offset ${offset}: ${NEGATIVE_OFFSET}`;
  }
  return lengthsFault(spans, buckets);
}

function lengthsFault(spans: readonly HistogramSpan[], buckets: number): string | undefined {
  let needed = 0;
  for (const { length } of spans) needed += length;
  return needed === buckets ? undefined : `spans need ${needed} buckets, have ${buckets} buckets: ${SPANS_MISMATCH}`;
}

function bucketsFault(buckets: Float64Array): string | undefined {
  for (let i = 0; i < buckets.length; i++) {
    if (buckets[i]! < 0) {
      return `bucket number ${i + 1} has observation count of ${formatFloat(buckets[i]!)}: ${NEGATIVE_BUCKET}`;
    }
  }
  return undefined;
}

function named(side: string, fault: string | undefined): string | undefined {
  return fault === undefined ? undefined : `${side}: ${fault}`;
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
