import { type FloatHistogram, isStaleNaN, SampleColumns } from '../../model/index.ts';
import { isCounterReset } from '../histogram/counter-reset.ts';
import { childrenOf, type Expr, type VectorSelector } from '../parse/ast.ts';

/** Functions that look at the number and the sum of observations only. */
const STATISTICS: ReadonlySet<string> = new Set(['histogram_count', 'histogram_sum', 'histogram_avg']);
const NEEDING_BUCKETS: ReadonlySet<string> = new Set([
  'histogram_quantile',
  'histogram_quantiles',
  'histogram_fraction',
  'histogram_stddev',
  'histogram_stdvar',
]);

/**
 * The selectors of whose histograms a query needs counts and sums alone (Prometheus `detectHistogramStatsDecoding`). In
 * subqueries buckets are needed, to find counter resets between the steps.
 */
export function statisticsSelectors(root: Expr): ReadonlySet<VectorSelector> {
  const found = new Set<VectorSelector>();
  const visit = (expr: Expr, isInStatistics: boolean): void => {
    if (expr.kind === 'vector' && isInStatistics) found.add(expr);
    if (needsBuckets(expr)) return;
    const isStatistics = isInStatistics || (expr.kind === 'call' && STATISTICS.has(expr.func.name));
    for (const child of childrenOf(expr)) visit(child, isStatistics);
  };
  visit(root, false);
  return found;
}

/** Everything inside needs its buckets. */
function needsBuckets(expr: Expr): boolean {
  if (expr.kind === 'subquery') return true;
  if (expr.kind === 'binary') return expr.op === '</' || expr.op === '>/';
  return expr.kind === 'call' && NEEDING_BUCKETS.has(expr.func.name);
}

const NO_BUCKETS = new Float64Array(0);

/**
 * The samples with histograms that hold a count, a sum, and whether the counter was reset before them, which is found out
 * from the buckets here (Prometheus `HistogramStatsIterator`). Without histograms they are the samples themselves.
 */
export class HistogramStatistics {
  readonly #scratch = new SampleColumns();

  of(samples: SampleColumns): SampleColumns {
    const { timestamps, values, histograms, length } = samples;
    if (histograms === undefined) return samples;
    const out = this.#scratch;
    out.clear();
    let last: FloatHistogram | undefined;
    for (let i = 0; i < length; i++) {
      const histogram = histograms[i];
      if (histogram === undefined) {
        out.push(timestamps[i]!, values[i]!);
        continue;
      }
      out.pushHistogram(timestamps[i]!, statisticsOf(histogram, last));
      if (!isStaleNaN(histogram.sum)) last = histogram;
    }
    return out;
  }
}

function statisticsOf(histogram: FloatHistogram, last: FloatHistogram | undefined): FloatHistogram {
  const { schema, count, sum } = histogram;
  let { counterResetHint } = histogram;
  if (counterResetHint === 'unknown' && last !== undefined && !isStaleNaN(sum)) {
    counterResetHint = isCounterReset(histogram, last) ? 'reset' : 'not_reset';
  }
  return {
    counterResetHint,
    schema,
    count,
    sum,
    zeroThreshold: 0,
    zeroCount: 0,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: NO_BUCKETS,
    negativeBuckets: NO_BUCKETS,
    customValues: NO_BUCKETS,
  };
}
