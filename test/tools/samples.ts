/** Samples as the suites compare them: whole databases as text, exact to the bit. */
import {
  bucketIndexes,
  type FloatHistogram,
  isStaleNaN,
  type Matcher,
  Matcher as LabelMatcher,
  SampleColumns,
} from '../../lib/model/index.ts';
import { collectSeries, type Queryable } from '../../lib/storage/index.ts';

/** Samples by series, in order of time. */
export type Dump = Record<string, [timeMs: number, value: string][]>;

const scratch = new DataView(new ArrayBuffer(8));

/** A float: shortest decimal form, and what that does not tell apart: -0, the stale marker, other NaNs by their bits. */
export function floatText(value: number): string {
  if (isStaleNaN(value)) return 'stale';
  if (Object.is(value, -0)) return '-0';
  if (!Number.isNaN(value)) return String(value);
  scratch.setFloat64(0, value);
  // The sign and the quiet bit of a NaN are the hardware's business.
  const low = scratch.getUint32(4);
  const high = scratch.getUint32(0) & 0x7_ffff;
  return low <= 1 && high === 0 ? 'NaN' : `NaN:${high.toString(16)}:${low.toString(16)}`;
}

/**
 * A native histogram, whatever its layout: empty buckets are left out. The counter reset hint is not told, because it is
 * found out anew at each reading.
 */
export function histogramText(histogram: FloatHistogram): string {
  if (isStaleNaN(histogram.sum)) return 'stale';
  const buckets = (indexes: readonly number[], counts: Float64Array): string =>
    indexes.flatMap((index, i) => (counts[i] === 0 ? [] : [`${index}:${floatText(counts[i]!)}`])).join(' ');
  const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets, customValues } = histogram;
  return [
    histogram.integer ? 'integer' : 'float',
    ...(histogram.counterResetHint === 'gauge' ? ['gauge'] : []),
    `schema ${histogram.schema}`,
    `zero ${floatText(histogram.zeroCount)} within ${floatText(histogram.zeroThreshold)}`,
    `count ${floatText(histogram.count)}`,
    `sum ${floatText(histogram.sum)}`,
    `+[${buckets(bucketIndexes(positiveSpans), positiveBuckets)}]`,
    `-[${buckets(bucketIndexes(negativeSpans), negativeBuckets)}]`,
    ...(customValues.length > 0 ? [`bounds ${[...customValues].map(floatText).join(' ')}`] : []),
  ].join(', ');
}

/** The samples of one series, from `from` on. */
export function columnsText(columns: SampleColumns, from = 0): [timeMs: number, value: string][] {
  const out: [number, string][] = [];
  for (let i = from; i < columns.length; i++) {
    const histogram = columns.histograms?.[i];
    out.push([
      columns.timestamps[i]!,
      histogram === undefined ? floatText(columns.values[i]!) : histogramText(histogram),
    ]);
  }
  return out;
}

/** Every sample that some matchers select. */
export async function dumpOf(
  database: Queryable,
  matchers: readonly Matcher[] = [new LabelMatcher('=~', '__name__', '.*')],
  minMs = -1e15,
  maxMs = 1e15,
): Promise<Dump> {
  const querier = database.querier(minMs, maxMs);
  try {
    const out: Dump = {};
    const columns = new SampleColumns();
    for (const series of await collectSeries(await querier.select(true, { startMs: minMs, endMs: maxMs }, matchers))) {
      columns.clear();
      series.read(columns);
      out[series.labels.toString()] = columnsText(columns);
    }
    return out;
  } finally {
    querier.close();
  }
}

export function countSamples(dump: Dump): number {
  return Object.values(dump).reduce((sum, samples) => sum + samples.length, 0);
}
