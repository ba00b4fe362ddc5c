import type { Expr } from '../parse/ast.ts';
import type { ColumnSeries, Columns } from './columns.ts';
import type { QueryContext } from './context.ts';
import { sharedReference } from './info-reference.ts';
import { seriesBytes, stepsBytes } from './memory.ts';

/** Their result depends on the evaluation time even when their arguments do not (`AtModifierUnsafeFunctions`). */
const TIME_DEPENDENT: ReadonlySet<string> = new Set([
  'days_in_month',
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'hour',
  'minute',
  'month',
  'year',
  'predict_linear',
  'time',
  'timestamp',
]);

/** True when the expression has the same value at every step, because of `@` modifiers or constants. */
export function isStepInvariant(expr: Expr): boolean {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return true;
    case 'vector':
      return expr.at !== undefined;
    case 'matrix':
      return expr.selector.at !== undefined;
    case 'subquery':
      return expr.at !== undefined;
    case 'paren':
    case 'unary':
      return isStepInvariant(expr.expr);
    case 'aggregate':
      // The parameter does not count: as in Prometheus, `topk(scalar(x), y @ 0)` takes that of the first step.
      return isStepInvariant(expr.expr);
    case 'binary':
      return isStepInvariant(expr.left) && isStepInvariant(expr.right);
    case 'call':
      if (expr.func.name === 'timestamp' && expr.args[0]?.kind === 'vector') return isStepInvariant(expr.args[0]);
      if (expr.func.name === 'info') {
        return isStepInvariant(expr.args[0]!) && sharedReference(expr.args[0]!) !== undefined;
      }
      return !TIME_DEPENDENT.has(expr.func.name) && expr.args.every(isStepInvariant);
  }
}

/** One step's value at every step. */
export function repeated(columns: Columns, count: number, context: QueryContext): Columns {
  context.requireBytes(stepsBytes(count));
  if (columns.type === 'scalar') return { type: 'scalar', values: new Float64Array(count).fill(columns.values[0]!) };
  const series = columns.series.map((one): ColumnSeries => {
    context.takeBytes(seriesBytes(one) + stepsBytes(count));
    const values = new Float64Array(count).fill(one.values[0]!);
    const present = new Uint8Array(count).fill(one.present[0]!);
    const histogram = one.histograms?.[0];
    const base = { labels: one.labels, dropName: one.dropName, values, present };
    return histogram === undefined ? base : { ...base, histograms: Array.from({ length: count }, () => histogram) };
  });
  return { type: 'vector', series };
}
