import { formatFloat } from './format.ts';
import { CUSTOM_BUCKETS_SCHEMA } from './histogram-buckets.ts';
import type { FloatHistogram, HistogramSpan } from './sample.ts';

const MIN_SCHEMA = -4;
const MAX_SCHEMA = 8;

const NEGATIVE_BUCKET = 'histogram has a bucket whose observation count is negative';
const NEGATIVE_OFFSET = 'histogram has a span whose offset is negative';
const SPANS_MISMATCH = 'histogram spans specify different number of buckets than provided';

/**
 * What Prometheus refuses in a histogram, in its words (`Validate` of model/histogram); undefined when it is sound. Counts of
 * integer histograms must be such, too.
 */
export function histogramFault(histogram: FloatHistogram): string | undefined {
  const { schema, positiveBuckets, negativeBuckets, count, zeroCount, sum, integer } = histogram;
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
