import { formatFloat, quote } from '../../model/index.ts';
import { WORK_PER_LABEL_SET } from '../limits.ts';
import type { AggregateExpr } from '../parse/ast.ts';
import { ACCUMULATORS } from './accumulators.ts';
import { type ColumnSeries, hasSamples, isFloat, isLabelName, type StepGrid, withLabel } from './columns.ts';
import { SeriesCollector } from './combine.ts';
import { executionError, type QueryContext } from './context.ts';
import { groupLabels, groupSeries } from './grouping.ts';
import { ACCUMULATOR_STEP_BYTES, newSeriesBytes } from './memory.ts';
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
  const out: ColumnSeries[] = [];
  for (const group of groups) {
    context.requireBytes(ACCUMULATOR_STEP_BYTES * grid.count);
    const accumulator = ACCUMULATORS[expr.op](grid, param);
    for (const series of group.series) {
      accumulator.add(series);
      if (context.spend(grid.count)) await context.pause();
    }
    const columns = accumulator.finish();
    const dropName = group.series.some((series) => series.dropName);
    const result = { labels: group.labels, dropName, ...columns };
    if (!hasSamples(result)) continue;
    context.takeBytes(newSeriesBytes(grid, result.labels));
    out.push(result);
  }
  return out;
}

function warnOfQuantiles(expr: AggregateExpr, param: Float64Array, context: QueryContext): void {
  const bad = param.find((q) => !(q >= 0 && q <= 1));
  if (bad !== undefined) {
    context.warn(`quantile value should be between 0 and 1, got ${formatFloat(bad)}`, expr.param!);
  }
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
    const outputs = new Map<number, ColumnSeries>();
    if (context.spend(grid.count)) await context.pause();
    for (let step = 0; step < grid.count; step++) {
      if (!isFloat(series, step)) continue;
      const value = series.values[step]!;
      let output = Object.is(value, -0) ? undefined : outputs.get(value);
      if (output === undefined) {
        output = collector.series(labelsOf(withLabel(series.labels, label, formatFloat(value))), false);
        if (context.spend(WORK_PER_LABEL_SET)) await context.pause();
        if (!Object.is(value, -0)) outputs.set(value, output);
      }
      output.present[step] = 1;
      output.values[step]! += 1;
    }
  }
  return collector.result();
}
