import { Labels, METRIC_NAME } from '../../model/index.ts';
import type { AggregateExpr } from '../parse/ast.ts';
import type { ColumnSeries } from './columns.ts';
import type { QueryContext } from './context.ts';
import { LabelsMap } from './labels-map.ts';
import { ENTRY_BYTES, labelsBytes } from './memory.ts';

/** Series that are aggregated into one. */
export interface Group {
  readonly labels: Labels;
  readonly series: ColumnSeries[];
}

export function groupSeries(
  expr: AggregateExpr,
  input: readonly ColumnSeries[],
  context: QueryContext,
): readonly Group[] {
  const labelsOf = groupLabels(expr, expr.grouping);
  const groups = new LabelsMap<Group>();
  for (const series of input) {
    const labels = labelsOf(series.labels);
    const group = groups.ensure(labels, () => {
      context.takeBytes(labelsBytes(labels) + 3 * ENTRY_BYTES);
      return { labels, series: [] };
    });
    group.series.push(series);
  }
  return groups.values;
}

/** The labels of the group that a series belongs to, as `by` or `without` say. */
export function groupLabels(expr: AggregateExpr, grouping: readonly string[]): (labels: Labels) => Labels {
  if (expr.without) {
    const dropped = new Set([...grouping, METRIC_NAME]);
    return (labels) => labels.without(dropped);
  }
  if (grouping.length === 0) return () => Labels.EMPTY;
  const kept = new Set(grouping);
  return (labels) => labels.keep(kept);
}
