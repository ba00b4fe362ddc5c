import type { FloatHistogram, HistogramSpan } from '../../model/index.ts';
import { hasCustomBuckets } from './custom-bounds.ts';
import { indexesOf, spansOf } from './layouts.ts';

const NO_BUCKETS = { spans: [], counts: new Float64Array(0) };

/** `FloatHistogram.Mul`: a negative factor makes a gauge. */
export function multiplied(histogram: FloatHistogram, factor: number): FloatHistogram {
  const changed = mapped(histogram, (count) => count * factor);
  return factor < 0 ? withHint(changed, 'gauge') : changed;
}

/** `FloatHistogram.Div`: a negative divisor makes a gauge; division by 0 leaves no buckets. */
export function divided(histogram: FloatHistogram, divisor: number): FloatHistogram {
  const changed = mapped(histogram, (count) => count / divisor);
  if (divisor < 0) return withHint(changed, 'gauge');
  return divisor === 0 ? withBuckets(changed, NO_BUCKETS, NO_BUCKETS) : changed;
}

export function withHint(
  histogram: FloatHistogram,
  counterResetHint: FloatHistogram['counterResetHint'],
): FloatHistogram {
  return { ...histogram, counterResetHint };
}

/** Every count and the sum changed; no longer integers. */
function mapped(histogram: FloatHistogram, change: (count: number) => number): FloatHistogram {
  const { integer: _, ...floats } = histogram;
  return {
    ...floats,
    zeroCount: hasCustomBuckets(histogram) ? 0 : change(histogram.zeroCount),
    count: change(histogram.count),
    sum: change(histogram.sum),
    positiveBuckets: mappedCounts(histogram.positiveBuckets, change),
    negativeBuckets: mappedCounts(histogram.negativeBuckets, change),
  };
}

/** As `map`, which is slower for typed arrays. */
function mappedCounts(counts: Float64Array, change: (count: number) => number): Float64Array {
  if (counts.length === 0) return counts;
  const changed = new Float64Array(counts.length);
  for (let i = 0; i < counts.length; i++) changed[i] = change(counts[i]!);
  return changed;
}

/** Buckets of one sign. */
interface Side {
  readonly spans: readonly HistogramSpan[];
  readonly counts: Float64Array;
}

function withBuckets(histogram: FloatHistogram, positive: Side, negative: Side): FloatHistogram {
  return {
    ...histogram,
    positiveSpans: positive.spans,
    positiveBuckets: positive.counts,
    negativeSpans: negative.spans,
    negativeBuckets: negative.counts,
  };
}

/** `FloatHistogram.Compact(0)`: without empty buckets, and with spans that do not adjoin. */
export function compacted(histogram: FloatHistogram): FloatHistogram {
  const { positiveBuckets, negativeBuckets, positiveSpans, negativeSpans } = histogram;
  if (isCompact(positiveSpans, positiveBuckets) && isCompact(negativeSpans, negativeBuckets)) return histogram;
  return withBuckets(
    histogram,
    withoutEmpty(positiveSpans, positiveBuckets),
    withoutEmpty(negativeSpans, negativeBuckets),
  );
}

function isCompact(spans: readonly HistogramSpan[], counts: Float64Array): boolean {
  return !counts.includes(0) && spans.every(({ offset, length }, i) => length > 0 && (i === 0 || offset > 0));
}

function withoutEmpty(spans: readonly HistogramSpan[], counts: Float64Array): Side {
  const indexes = indexesOf(spans);
  const kept: number[] = [];
  const keptCounts = new Float64Array(counts.length);
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] === 0) continue;
    keptCounts[kept.length] = counts[i]!;
    kept.push(indexes[i]!);
  }
  return { spans: spansOf(kept), counts: keptCounts.slice(0, kept.length) };
}
