import type { SetOperator, VectorMatching } from '../parse/ast.ts';
import { type ColumnSeries, type StepGrid } from './columns.ts';
import { mergeEqualLabels } from './combine.ts';
import type { QueryContext } from './context.ts';
import { ENTRY_BYTES, labelsBytes } from './memory.ts';
import { matchSignature } from './signature.ts';

/** `and`, `or`, `unless`: keep or drop samples by whether the other side has a match at the same step. */
export function setOperation(
  op: SetOperator,
  left: readonly ColumnSeries[],
  right: readonly ColumnSeries[],
  matching: VectorMatching,
  grid: StepGrid,
  context: QueryContext,
): readonly ColumnSeries[] {
  const signature = matchSignature(matching);
  const mask = (series: ColumnSeries, by: Uint8Array | undefined, wanted: boolean): ColumnSeries => {
    context.takeBytes(2 * ENTRY_BYTES + grid.count);
    return masked(series, by, wanted);
  };
  if (op === 'or') {
    const covered = presenceBySignature(left, signature, grid, context);
    const rest = right.map((series) => mask(series, covered.get(signature(series.labels)), false));
    return mergeEqualLabels([...left, ...rest], context);
  }
  const matched = presenceBySignature(right, signature, grid, context);
  return left.map((series) => mask(series, matched.get(signature(series.labels)), op === 'and'));
}

function presenceBySignature(
  side: readonly ColumnSeries[],
  signature: (labels: ColumnSeries['labels']) => string,
  grid: StepGrid,
  context: QueryContext,
): Map<string, Uint8Array> {
  const bySignature = new Map<string, Uint8Array>();
  for (const { labels, present } of side) {
    const key = signature(labels);
    let mask = bySignature.get(key);
    if (mask === undefined) {
      context.takeBytes(labelsBytes(labels) + 3 * ENTRY_BYTES + grid.count);
      bySignature.set(key, (mask = new Uint8Array(grid.count)));
    }
    for (let i = 0; i < present.length; i++) mask[i]! |= present[i]!;
  }
  return bySignature;
}

/** The series where `mask` is set, or where it is not. */
function masked(series: ColumnSeries, mask: Uint8Array | undefined, wanted: boolean): ColumnSeries {
  if (mask === undefined && !wanted) return series;
  const present = series.present.map((flag, i) => ((mask?.[i] ?? 0) === Number(wanted) ? flag : 0));
  return { ...series, present };
}
