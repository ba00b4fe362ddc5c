import type { FloatHistogram } from '../../../lib/model/index.ts';

/** A histogram as a script describes it. */
export interface DescribedHistogram extends FloatHistogram {
  /** `counter_reset_hint` was written: an expected histogram without one has any. */
  readonly isHintGiven: boolean;
}

const KEYS: ReadonlySet<string> = new Set(
  'schema sum count z_bucket z_bucket_w custom_values counter_reset_hint buckets offset n_buckets n_offset'.split(' '),
);

/** What stands between `{{` and `}}`: `schema:0 sum:5 count:4 buckets:[1 2 1] offset:-1`. */
export function parseHistogram(text: string, toNumber: (text: string) => number): DescribedHistogram {
  const fields = new Map<string, string>();
  for (const [item, key, value] of text.matchAll(/([^\s:]+):(\[[^\]]*\]|\S+)|\S+/g)) {
    if (key === undefined || !KEYS.has(key)) throw new Error(`not part of a histogram: ${item}`);
    fields.set(key, value!);
  }
  const number = (key: string): number => toNumber(fields.get(key) ?? '0');
  const numbers = (key: string): Float64Array =>
    Float64Array.from((fields.get(key) ?? '[]').slice(1, -1).trim().split(/\s+/).filter(Boolean), toNumber);
  const positiveBuckets = numbers('buckets');
  const negativeBuckets = numbers('n_buckets');
  const span = (offset: number, length: number) => (length === 0 ? [] : [{ offset, length }]);
  return {
    isHintGiven: fields.has('counter_reset_hint'),
    counterResetHint: (fields.get('counter_reset_hint') ?? 'unknown') as FloatHistogram['counterResetHint'],
    schema: number('schema'),
    zeroThreshold: number('z_bucket_w'),
    zeroCount: number('z_bucket'),
    count: number('count'),
    sum: number('sum'),
    positiveSpans: span(number('offset'), positiveBuckets.length),
    negativeSpans: span(number('n_offset'), negativeBuckets.length),
    positiveBuckets,
    negativeBuckets,
    customValues: numbers('custom_values'),
  };
}

/** Counts by the index of their bucket, without empty buckets. */
export function bucketCounts(spans: FloatHistogram['positiveSpans'], buckets: Float64Array): Map<number, number> {
  const counts = new Map<number, number>();
  let index = 0;
  let at = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++, index++, at++) if (buckets[at] !== 0) counts.set(index, buckets[at]!);
  }
  return counts;
}

/** `base`, then `times` histograms, each the one before with `step` added or (`sign` −1) taken away. */
export function histogramSeries(
  base: DescribedHistogram,
  step: DescribedHistogram,
  sign: 1 | -1,
  times: number,
): DescribedHistogram[] {
  if (base.schema > step.schema) {
    throw new Error(`error combining histograms: cannot merge from schema ${step.schema} to ${base.schema}`);
  }
  const out = [{ ...base, isHintGiven: step.isHintGiven }];
  for (let i = 0; i < times; i++) out.push(combined(out.at(-1)!, step, sign));
  return out;
}

/** Both of one layout: what the scripts add up has the same bounds and zero bucket. */
function combined(a: DescribedHistogram, b: DescribedHistogram, sign: 1 | -1): DescribedHistogram {
  if (a.customValues.join() !== b.customValues.join()) throw new Error('added histograms have other bounds');
  const [positiveSpans, positiveBuckets] = combinedBuckets(a, b, sign, 'positive');
  const [negativeSpans, negativeBuckets] = combinedBuckets(a, b, sign, 'negative');
  return {
    ...a,
    isHintGiven: b.isHintGiven,
    counterResetHint: combinedHint(a.counterResetHint, b.counterResetHint),
    count: a.count + sign * b.count,
    sum: a.sum + sign * b.sum,
    zeroCount: a.zeroCount + sign * b.zeroCount,
    positiveSpans,
    positiveBuckets,
    negativeSpans,
    negativeBuckets,
  };
}

type Hint = FloatHistogram['counterResetHint'];

function combinedHint(a: Hint, b: Hint): Hint {
  if (a === b) return a;
  return a === 'gauge' || b === 'gauge' ? 'gauge' : 'unknown';
}

function combinedBuckets(
  a: FloatHistogram,
  b: FloatHistogram,
  sign: 1 | -1,
  side: 'positive' | 'negative',
): [FloatHistogram['positiveSpans'], Float64Array] {
  const sums = bucketCounts(a[`${side}Spans`], a[`${side}Buckets`]);
  // A bucket of a finer schema lies in one of 2^difference buckets that end where the coarser one does.
  const factor = 2 ** (b.schema - a.schema);
  for (const [index, count] of bucketCounts(b[`${side}Spans`], b[`${side}Buckets`])) {
    const coarse = factor === 1 ? index : Math.floor((index - 1) / factor) + 1;
    sums.set(coarse, (sums.get(coarse) ?? 0) + sign * count);
  }
  const indexes = [...sums.keys()].sort((x, y) => x - y);
  let previous = -1;
  const spans = indexes.map((index, i) => {
    const offset = i === 0 ? index : index - previous - 1;
    previous = index;
    return { offset, length: 1 };
  });
  return [spans, Float64Array.from(indexes, (index) => sums.get(index)!)];
}
