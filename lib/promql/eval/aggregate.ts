import { formatFloat, formatGeneral, quote } from '../../model/index.ts';
import { WORK_PER_LABEL_SET } from '../limits.ts';
import { type AggregateExpr, withoutParens } from '../parse/ast.ts';
import { histogramText } from '../histogram/text.ts';
import { ACCUMULATORS } from './accumulators.ts';
import { type ColumnSeries, hasHistograms, hasSamples, isLabelName, type StepGrid } from './columns.ts';
import { SeriesCollector } from './combine.ts';
import { executionError, type QueryContext } from './context.ts';
import { greatest, least } from './extremes.ts';
import { HistogramAccumulator } from './histogram-accumulator.ts';
import { groupLabels, groupSeries } from './grouping.ts';
import { ACCUMULATOR_STEP_BYTES, seriesBytes } from './memory.ts';
import { IGNORING_HISTOGRAMS } from './running-aggregation.ts';
import { selectK } from './select-k.ts';

/** The parameter of an aggregation: a scalar per step, or the label of `count_values`. */
export interface AggregateParameter {
  readonly param: Float64Array | undefined;
  readonly label: string;
}

/** Prometheus `rangeEvalAgg`: groups the series by labels, then reduces each group column by column. */
export async function aggregate(
  expr: AggregateExpr,
  input: readonly ColumnSeries[],
  parameter: AggregateParameter,
  grid: StepGrid,
  context: QueryContext,
): Promise<readonly ColumnSeries[]> {
  if (expr.op === 'count_values') return countValues(expr, input, parameter.label, grid, context);
  const groups = groupSeries(expr, input, context);
  const { param } = parameter;
  if (expr.op === 'topk' || expr.op === 'bottomk' || expr.op === 'limitk' || expr.op === 'limit_ratio') {
    return selectK(expr, groups, param!, grid, context);
  }
  if (expr.op === 'quantile') warnOfQuantiles(expr, param!, context);
  const hasAnyHistogram = input.some(hasHistograms);
  if (hasAnyHistogram && IGNORING_HISTOGRAMS.has(expr.op)) {
    context.info(`ignored histogram in ${expr.op} aggregation`, expr.expr);
  }
  const out: ColumnSeries[] = [];
  for (const group of groups) {
    context.requireBytes(ACCUMULATOR_STEP_BYTES * grid.count);
    const floats = ACCUMULATORS[expr.op](grid, param);
    const addsHistograms = (expr.op === 'sum' || expr.op === 'avg') && group.series.some(hasHistograms);
    const accumulator = addsHistograms ? new HistogramAccumulator(expr, floats, grid, context) : floats;
    for (const series of group.series) {
      accumulator.add(series);
      if (context.spend(grid.count)) await context.pause();
    }
    const columns = accumulator.finish();
    const dropName = group.series.some((series) => series.dropName);
    const result = { labels: group.labels, dropName, ...columns };
    if (!hasSamples(result)) continue;
    context.takeBytes(seriesBytes(result));
    out.push(result);
  }
  return out;
}

function warnOfQuantiles(expr: AggregateExpr, param: Float64Array, context: QueryContext): void {
  const warn = (q: number): void =>
    context.warn(`quantile value should be between 0 and 1, got ${formatGeneral(q)}`, withoutParens(expr.param!));
  if (param.some((q) => Number.isNaN(q))) warn(NaN);
  const max = greatest(param);
  if (max > 1) warn(max);
  const min = least(param);
  if (min < 0) warn(min);
}

/** Counts equal values; each distinct value becomes a label (`aggregationCountValues`). */
async function countValues(
  expr: AggregateExpr,
  input: readonly ColumnSeries[],
  label: string,
  grid: StepGrid,
  context: QueryContext,
): Promise<readonly ColumnSeries[]> {
  if (!isLabelName(label)) throw executionError(`invalid label name ${quote(label)}`);
  const labelsOf = groupLabels(expr, expr.without ? expr.grouping : [...expr.grouping, label]);
  const collector = new SeriesCollector(grid, context);
  for (const series of input) {
    /** By value: most series take few values over time. */
    const outputs = new Map<number | string, ColumnSeries>();
    if (context.spend(grid.count)) await context.pause();
    for (let step = 0; step < grid.count; step++) {
      if (series.present[step] === 0) continue;
      const histogram = series.histograms?.[step];
      const value = histogram === undefined ? series.values[step]! : histogramText(histogram);
      let output = Object.is(value, -0) ? undefined : outputs.get(value);
      if (output === undefined) {
        const text = typeof value === 'number' ? formatFloat(value) : value;
        output = collector.series(labelsOf(series.labels.with(label, text)), false);
        if (context.spend(WORK_PER_LABEL_SET)) await context.pause();
        if (!Object.is(value, -0)) outputs.set(value, output);
      }
      output.present[step] = 1;
      output.values[step]! += 1;
    }
  }
  return collector.result();
}
