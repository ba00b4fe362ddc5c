import { formatGeneral, type Labels } from '../../model/index.ts';
import { type AggregateExpr, withoutParens } from '../parse/ast.ts';
import type { Group } from './grouping.ts';
import { greatest, least } from './extremes.ts';
import { type ColumnSeries, hasSamples, isFloat, newSeries, type StepGrid } from './columns.ts';
import { executionError, type QueryContext } from './context.ts';
import { labelHashFraction } from './label-hash.ts';
import { ENTRY_BYTES, newSeriesBytes } from './memory.ts';
import { SeriesHeap } from './series-heap.ts';

/** Chooses, per step, indices into `series` (those with a sample), in the order an instant query shows them. */
type Choice = (series: readonly ColumnSeries[], candidates: number[], step: number) => number[];

/**
 * `topk`, `bottomk`, `limitk`, `limit_ratio`: input series with their labels, at the steps where they were chosen. With a
 * single step the order is that of the choice.
 */
export async function selectK(
  expr: AggregateExpr,
  groups: readonly Group[],
  param: Float64Array,
  grid: StepGrid,
  context: QueryContext,
): Promise<ColumnSeries[]> {
  const choose = choiceOf(expr, groups, param, context);
  const out: ColumnSeries[] = [];
  for (const { series } of groups) {
    const outputs = new Map<number, ColumnSeries>();
    for (let step = 0; step < grid.count; step++) {
      const candidates: number[] = [];
      for (let i = 0; i < series.length; i++) if (series[i]!.present[step] === 1) candidates.push(i);
      for (const i of choose(series, candidates, step)) {
        let output = outputs.get(i);
        if (output === undefined) {
          context.takeBytes(ENTRY_BYTES + newSeriesBytes(grid, series[i]!.labels));
          output = newSeries(grid, series[i]!.labels, series[i]!.dropName);
          outputs.set(i, output);
        }
        output.present[step] = 1;
        output.values[step] = series[i]!.values[step]!;
      }
      if (context.spend(series.length)) await context.pause();
    }
    for (const [i, output] of outputs) {
      const { histograms } = series[i]!;
      out.push(histograms === undefined ? output : { ...output, histograms });
    }
  }
  return out.filter(hasSamples);
}

function choiceOf(expr: AggregateExpr, groups: readonly Group[], param: Float64Array, context: QueryContext): Choice {
  if (expr.op === 'limit_ratio') return ratioChoice(expr, param, context);
  checkCounts(param);
  noteIgnoredHistograms(expr, groups, param, context);
  if (expr.op === 'limitk') {
    return (series, candidates, step) => inHeapOrder(series, candidates.slice(0, countAt(param[step]!)), step);
  }
  const isTop = expr.op === 'topk';
  return (series, candidates, step) => {
    const count = countAt(param[step]!);
    const value = (i: number): number => series[i]!.values[step]!;
    // Whatever is to be dropped first stands on top: NaN, then the least of the largest or the largest of the least.
    const heap = new SeriesHeap(
      (a, b) => Number.isNaN(value(a)) || (isTop ? value(a) < value(b) : value(a) > value(b)),
    );
    for (const i of candidates) {
      if (!isFloat(series[i]!, step)) continue;
      if (heap.indices.length < count) heap.push(i);
      else if (count > 0 && replaces(value(i), value(heap.indices[0]!), isTop)) heap.replaceTop(i);
    }
    return heap.sorted();
  };
}

/** How many series a parameter asks for. */
export function countAt(param: number): number {
  return Math.max(0, Math.trunc(param));
}

/** Whether a value takes the place of that on top of the heap. */
export function replaces(value: number, top: number, isTop: boolean): boolean {
  if (Number.isNaN(top)) return !Number.isNaN(value);
  return isTop ? top < value : top > value;
}

/** The order in which an instant query shows what is not sorted: that of Prometheus's heap. */
function inHeapOrder(series: readonly ColumnSeries[], chosen: readonly number[], step: number): number[] {
  const value = (i: number): number => series[i]!.values[step]!;
  const heap = new SeriesHeap((a, b) => Number.isNaN(value(a)) || value(a) < value(b));
  for (const i of chosen) heap.push(i);
  return heap.indices;
}

/** Unless nothing is asked for at the steps where they are. */
function noteIgnoredHistograms(
  expr: AggregateExpr,
  groups: readonly Group[],
  param: Float64Array,
  context: QueryContext,
): void {
  if (expr.op === 'limitk') return;
  if (groups.some(({ series }) => series.some((one) => asksForHistograms(one, param))))
    context.info(`ignored histogram in ${expr.op} aggregation`, expr);
}

/** Whether something is asked for at a step where the series has a histogram. */
export function asksForHistograms({ histograms, present }: ColumnSeries, param: Float64Array): boolean {
  return (
    histograms !== undefined &&
    histograms.some((one, step) => one !== undefined && present[step] === 1 && param[step]! >= 1)
  );
}

/** @throws PromletError `promql/execution` */
function checkCounts(param: Float64Array): void {
  if (!param.some((count) => count >= 1 || Number.isNaN(count))) return;
  if (param.some((count) => Number.isNaN(count))) throw executionError('Parameter value is NaN');
  const min = least(param);
  if (min <= -(2 ** 63)) throw executionError(`Scalar value ${formatGeneral(min)} underflows int64`);
  const max = greatest(param);
  if (max >= 2 ** 63) throw executionError(`Scalar value ${formatGeneral(max)} overflows int64`);
}

function ratioChoice(expr: AggregateExpr, param: Float64Array, context: QueryContext): Choice {
  if (param.some((ratio) => Number.isNaN(ratio))) throw executionError('Ratio value is NaN');
  const warn = (ratio: number, bound: 1 | -1): void => {
    const message = `ratio value should be between -1 and 1, got ${formatGeneral(ratio)}, capping to ${bound}`;
    context.warn(message, withoutParens(expr.param!));
  };
  const max = greatest(param);
  if (max > 1) warn(max, 1);
  const min = least(param);
  if (min < -1) warn(min, -1);
  const offsets = new Map<Labels, number>();
  return (series, candidates, step) => {
    const ratio = Math.max(-1, Math.min(1, param[step]!));
    const sampled = candidates.filter((i) => {
      const { labels } = series[i]!;
      let offset = offsets.get(labels);
      if (offset === undefined) offsets.set(labels, (offset = labelHashFraction(labels)));
      return ratio >= 0 ? offset < ratio : offset >= 1 + ratio;
    });
    return inHeapOrder(series, sampled, step);
  };
}
