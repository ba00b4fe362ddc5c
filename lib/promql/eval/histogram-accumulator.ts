import { assert, type FloatHistogram, METRIC_NAME, quote } from '../../model/index.ts';
import { compacted } from '../histogram/arithmetic.ts';
import { HistogramMean } from '../histogram/histogram-mean.ts';
import { HistogramSum } from '../histogram/histogram-sum.ts';
import type { AggregateExpr } from '../parse/ast.ts';
import type { Accumulator, AggregatedColumn } from './accumulators.ts';
import type { ColumnSeries, StepGrid } from './columns.ts';
import type { QueryContext } from './context.ts';
import { histogramBytes } from './memory.ts';

/** What was seen at a step, as bits. */
const FLOAT = 1;
const HISTOGRAM = 2;
/** Exponential and custom buckets: there is no result, and nothing further is looked at. */
const INCOMPATIBLE = 4;
const RESET = 8;
const NOT_RESET = 16;
/** Custom bounds differed. */
const RECONCILED = 32;

/** A sum and its compensations, beside what a histogram of its size takes. */
const SUM_FACTOR = 3;

/** `sum` and `avg` of a group in which there are histograms: at each step of floats only or of histograms only. */
export class HistogramAccumulator implements Accumulator {
  readonly #floats: Accumulator;
  readonly #expr: AggregateExpr;
  readonly #context: QueryContext;
  /** By step, sparse. */
  readonly #totals: (HistogramSum | HistogramMean | undefined)[] = [];
  readonly #seen: Uint8Array;
  /** Names of metrics whose buckets did not fit to those before: told at the end, behind what the input has to tell. */
  readonly #incompatible = new Set<string>();

  /** @param floats may hold floats of series before */
  constructor(expr: AggregateExpr, floats: Accumulator, grid: StepGrid, context: QueryContext) {
    this.#floats = floats;
    this.#expr = expr;
    this.#context = context;
    // FLOAT is 1, as is what is present.
    this.#seen = floats.finish().present.slice();
    assert(this.#seen.length === grid.count, 'promql: columns of another grid');
  }

  add(series: ColumnSeries): void {
    const { present, histograms } = series;
    this.#floats.add(series);
    for (let step = 0; step < present.length; step++) {
      if (present[step] === 0 || this.#seen[step]! & INCOMPATIBLE) continue;
      const histogram = histograms?.[step];
      if (histogram === undefined) this.#seen[step]! |= FLOAT;
      else this.#addHistogram(step, histogram, series);
    }
  }

  #addHistogram(step: number, histogram: FloatHistogram, series: ColumnSeries): void {
    const isFirst = this.#seen[step] === 0;
    this.#seen[step]! |= HISTOGRAM;
    const total = this.#totals[step];
    // Behind a float there will be no result anyway.
    if (total === undefined && !isFirst) return;
    if (histogram.counterResetHint === 'reset') this.#seen[step]! |= RESET;
    if (histogram.counterResetHint === 'not_reset') this.#seen[step]! |= NOT_RESET;
    if (total === undefined) {
      this.#context.takeBytes(SUM_FACTOR * histogramBytes(histogram));
      this.#totals[step] = this.#expr.op === 'sum' ? new HistogramSum(histogram) : new HistogramMean(histogram);
    } else if (!total.add(histogram)) {
      this.#seen[step]! |= INCOMPATIBLE;
      this.#incompatible.add(series.labels.get(METRIC_NAME));
    } else if (total.hasReconciledBounds) this.#seen[step]! |= RECONCILED;
  }

  finish(): AggregatedColumn {
    const { values, present } = this.#floats.finish();
    const histograms: (FloatHistogram | undefined)[] = [];
    let all = 0;
    let isMixed = false;
    let isConflicting = false;
    for (let step = 0; step < present.length; step++) {
      const seen = this.#seen[step]!;
      all |= seen;
      if ((seen & HISTOGRAM) === 0) continue;
      present[step] = 0;
      if (seen & FLOAT) {
        isMixed = true;
        continue;
      }
      if (seen & INCOMPATIBLE) continue;
      if ((seen & RESET) !== 0 && (seen & NOT_RESET) !== 0) isConflicting = true;
      present[step] = 1;
      values[step] = NaN;
      histograms[step] = compacted(this.#totals[step]!.result());
    }
    const at = this.#expr.expr;
    for (const metric of this.#incompatible) {
      const what = 'vector contains a mix of histograms with exponential and custom buckets schemas for metric name';
      this.#context.warn(`${what} ${quote(metric)}`, at);
    }
    if (isMixed) this.#context.warn('encountered a mix of histograms and floats for aggregation', at);
    if (isConflicting) this.#context.warn('conflicting counter resets during histogram aggregation', at);
    if (all & RECONCILED) this.#context.info('mismatched custom buckets were reconciled during aggregation', at);
    return { values, present, histograms };
  }
}
