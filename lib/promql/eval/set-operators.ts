import type { SetOperator, VectorMatching } from '../parse/ast.ts';
import { type ColumnSeries, mergeEqualLabels, type StepGrid } from './columns.ts';
import { matchSignature } from './signature.ts';

/** `and`, `or`, `unless`: keep or drop samples by whether the other side has a match at the same step. */
export function setOperation(
  op: SetOperator,
  left: readonly ColumnSeries[],
  right: readonly ColumnSeries[],
  matching: VectorMatching,
  grid: StepGrid,
): readonly ColumnSeries[] {
  const signature = matchSignature(matching);
  if (op === 'or') {
    const covered = presenceBySignature(left, signature, grid);
    const rest = right.map((series) => masked(series, covered.get(signature(series.labels)), false));
    return mergeEqualLabels([...left, ...rest]);
  }
  const matched = presenceBySignature(right, signature, grid);
  return left.map((series) => masked(series, matched.get(signature(series.labels)), op === 'and'));
}

function presenceBySignature(
  side: readonly ColumnSeries[],
  signature: (labels: ColumnSeries['labels']) => string,
  grid: StepGrid,
): Map<string, Uint8Array> {
  const bySignature = new Map<string, Uint8Array>();
  for (const { labels, present } of side) {
    const key = signature(labels);
    let mask = bySignature.get(key);
    if (mask === undefined) bySignature.set(key, (mask = new Uint8Array(grid.count)));
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
