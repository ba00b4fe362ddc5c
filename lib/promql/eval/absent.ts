import { Labels, LabelsBuilder, METRIC_NAME } from '../../model/index.ts';
import type { Expr } from '../parse/ast.ts';

/** What is known of the series that `absent` misses: its labels under a single `=` (`createLabelsForAbsentFunction`). */
export function absentLabels(expr: Expr): Labels {
  const selector = expr.kind === 'matrix' ? expr.selector : expr;
  if (selector.kind !== 'vector') return Labels.EMPTY;
  const builder = new LabelsBuilder();
  const seen = new Set<string>();
  for (const { name, type, value } of selector.matchers) {
    if (name === METRIC_NAME) continue;
    if (type === '=' && !seen.has(name)) {
      builder.set(name, value);
      seen.add(name);
    } else builder.delete(name);
  }
  return builder.labels();
}
