import { Labels, LabelsBuilder, type Matcher, METRIC_NAME } from '../../model/index.ts';
import type { Expr } from '../parse/ast.ts';
import type { ColumnSeries, Columns, StepGrid } from './columns.ts';

/** What is known of the series that `absent` misses: its labels under a single `=` (`createLabelsForAbsentFunction`). */
export function absentLabels(expr: Expr): Labels {
  const selector = expr.kind === 'matrix' ? expr.selector : expr;
  if (selector.kind !== 'vector') return Labels.EMPTY;
  const builder = new LabelsBuilder();
  const seen = new Set<string>();
  for (const { name, type, value } of inOrderOfSelection(selector.matchers)) {
    if (name === METRIC_NAME) continue;
    if (type === '=' && !seen.has(name)) {
      builder.set(name, value);
      seen.add(name);
    } else builder.delete(name);
  }
  return builder.labels();
}

/**
 * Prometheus's storage has sorted the matchers by then: those that only take series away are behind the others
 * (tsdb/querier.go, `PostingsForMatchers`).
 */
function inOrderOfSelection(matchers: readonly Matcher[]): Matcher[] {
  const needed = new Set(matchers.filter((matcher) => !matcher.matches('')).map(({ name }) => name));
  const takesAway = (matcher: Matcher): boolean =>
    !needed.has(matcher.name) || (matcher.type.startsWith('!') && matcher.matches(''));
  return [...matchers.filter((matcher) => !takesAway(matcher)), ...matchers.filter(takesAway)];
}

/** 1 at every step at which no series has a sample in its window. */
export function absentWindows(series: readonly ColumnSeries[], arg: Expr, grid: StepGrid): Columns {
  const labels = absentLabels(arg);
  const present = new Uint8Array(grid.count).fill(1);
  for (const one of series) for (let i = 0; i < grid.count; i++) if (one.present[i] === 1) present[i] = 0;
  const values = new Float64Array(grid.count).fill(1);
  return { type: 'vector', series: [{ labels, dropName: true, values, present }] };
}
