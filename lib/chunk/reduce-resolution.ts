import { bucketIndexes, type FloatHistogram, type HistogramSpan } from '../model/index.ts';

/** The finest schema that is calculated with. */
const MAX_SCHEMA = 8;
/** Finer ones up to this are of later versions of Prometheus; others are no schemas (`IsKnownSchema`). */
const MAX_RESERVED_SCHEMA = 52;

/** A sound histogram as it can be calculated with: one of finer buckets at the finest schema that is known. */
export function atKnownResolution(histogram: FloatHistogram): FloatHistogram {
  const { schema } = histogram;
  return schema > MAX_SCHEMA && schema <= MAX_RESERVED_SCHEMA ? reduceResolution(histogram, MAX_SCHEMA) : histogram;
}

/** A histogram of exponential buckets at a coarser schema (`ReduceResolution` of model/histogram/float_histogram.go). */
export function reduceResolution(histogram: FloatHistogram, schema: number): FloatHistogram {
  const factor = 2 ** (histogram.schema - schema);
  const positive = reduceBuckets(histogram.positiveSpans, histogram.positiveBuckets, factor);
  const negative = reduceBuckets(histogram.negativeSpans, histogram.negativeBuckets, factor);
  return {
    ...histogram,
    schema,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
  };
}

/** Adds up each run of `factor` buckets; the last of a run has the bound of the coarser bucket. */
function reduceBuckets(
  spans: readonly HistogramSpan[],
  buckets: Float64Array,
  factor: number,
): { spans: HistogramSpan[]; buckets: Float64Array } {
  const reduced: { offset: number; length: number }[] = [];
  const counts: number[] = [];
  let last = -1;
  bucketIndexes(spans).forEach((index, i) => {
    const target = Math.floor((index - 1) / factor) + 1;
    const open = reduced.at(-1);
    if (open !== undefined && target === last) {
      counts[counts.length - 1]! += buckets[i]!;
      return;
    }
    if (open !== undefined && target === last + 1) open.length++;
    else reduced.push({ offset: target - last - 1, length: 1 });
    counts.push(buckets[i]!);
    last = target;
  });
  return { spans: reduced, buckets: Float64Array.from(counts) };
}
