import { WORK_PER_LABEL_SET } from '../limits.ts';
import type { BinaryOperator, SourceRange, VectorMatching } from '../parse/ast.ts';
import type { ColumnSeries, StepGrid } from './columns.ts';
import { executionError, type QueryContext } from './context.ts';
import { ENTRY_BYTES, labelsBytes } from './memory.ts';
import { matchedLabels, matchSignature } from './signature.ts';

export interface VectorOperands {
  readonly op: BinaryOperator;
  readonly left: readonly ColumnSeries[];
  readonly right: readonly ColumnSeries[];
  readonly matching: VectorMatching;
  readonly returnBool: boolean;
  /** The whole operation, for notes. */
  readonly at: SourceRange;
}

/** The series of both sides that share a signature. "many" may hold several samples a step, "one" a single one. */
export interface MatchGroup {
  readonly many: ColumnSeries[];
  readonly one: ColumnSeries[];
}

/** With `group_right` the sides are exchanged: "many" is the right one. */
export function isSwapped({ matching }: VectorOperands): boolean {
  return matching.cardinality === 'one-to-many';
}

function manySide(operands: VectorOperands): readonly ColumnSeries[] {
  return isSwapped(operands) ? operands.right : operands.left;
}

function oneSide(operands: VectorOperands): readonly ColumnSeries[] {
  return isSwapped(operands) ? operands.left : operands.right;
}

/** Puts the series of both sides together by what they are matched on. */
export async function matchGroups(operands: VectorOperands, context: QueryContext): Promise<readonly MatchGroup[]> {
  const signature = matchSignature(operands.matching);
  const groups = new Map<string, MatchGroup>();
  const groupOf = (series: ColumnSeries): MatchGroup => {
    const key = signature(series.labels);
    let group = groups.get(key);
    if (group === undefined) {
      context.takeBytes(labelsBytes(series.labels) + 4 * ENTRY_BYTES);
      groups.set(key, (group = { many: [], one: [] }));
    }
    return group;
  };
  for (const [side, list] of [
    ['many', manySide(operands)],
    ['one', oneSide(operands)],
  ] as const) {
    for (const series of list) {
      groupOf(series)[side].push(series);
      if (context.spend(WORK_PER_LABEL_SET)) await context.pause();
    }
  }
  return [...groups.values()];
}

/**
 * No two samples of the "one" side may be in one group at a step where they could match. Of those that are, the first by
 * step and then by the order of the input is named.
 * @throws PromletError `promql/execution`
 */
export async function checkOneSide(
  groups: readonly MatchGroup[],
  operands: VectorOperands,
  grid: StepGrid,
  context: QueryContext,
): Promise<void> {
  let order: Map<ColumnSeries, number> | undefined;
  let firstStep = grid.count;
  let firstPlace = Infinity;
  let found: readonly [ColumnSeries, ColumnSeries] | undefined;
  for (const { one } of groups) {
    if (one.length < 2) continue;
    if (context.spend(grid.count * one.length)) await context.pause();
    const pair = firstPair(one, Math.min(firstStep, grid.count - 1), operands);
    if (pair === undefined) continue;
    order ??= new Map(oneSide(operands).map((series, place) => [series, place]));
    const place = order.get(pair.series[0])!;
    if (pair.step === firstStep && place > firstPlace) continue;
    firstStep = pair.step;
    firstPlace = place;
    found = pair.series;
  }
  if (found !== undefined) throw duplicate(found, operands);
}

/** The first step, up to `last`, at which two of the series have samples that could match. */
function firstPair(
  one: readonly ColumnSeries[],
  last: number,
  operands: VectorOperands,
): { step: number; series: readonly [ColumnSeries, ColumnSeries] } | undefined {
  for (let step = 0; step <= last; step++) {
    let other: ColumnSeries | undefined;
    for (const series of one) {
      if (series.present[step] === 0) continue;
      if (other !== undefined && isMatchable(step, operands)) return { step, series: [series, other] };
      other ??= series;
    }
  }
  return undefined;
}

/** Nothing is matched, and nothing can be ambiguous, where the other side is empty. */
function isMatchable(step: number, operands: VectorOperands): boolean {
  const { fillLeft, fillRight } = operands.matching;
  if (fillLeft !== undefined || fillRight !== undefined) return true;
  return manySide(operands).some((series) => series.present[step] === 1);
}

function duplicate([a, b]: readonly [ColumnSeries, ColumnSeries], operands: VectorOperands): Error {
  const [first, second] = [a.labels.toString(), b.labels.toString()].sort();
  const group = matchedLabels(a.labels, operands.matching).toString();
  const side = isSwapped(operands) ? 'left' : 'right';
  return executionError(
    `found duplicate series for the match group ${group} on the ${side} hand-side of the operation: ` +
      `[${first}, ${second}];many-to-many matching not allowed: matching labels must be unique on one side`,
  );
}
