import { WORK_PER_LABEL_SET } from '../limits.ts';
import type { BinaryOperator, SourceRange, VectorMatching } from '../parse/ast.ts';
import type { ColumnSeries, StepGrid } from './columns.ts';
import { executionError, type QueryContext } from './context.ts';
import { ENTRY_BYTES, labelsBytes } from './memory.ts';
import { matchedLabels, matchSignature } from './signature.ts';

/** An operator between vectors. */
export interface VectorOperator {
  readonly op: BinaryOperator;
  readonly matching: VectorMatching;
  readonly returnBool: boolean;
}

export interface VectorOperands extends VectorOperator {
  readonly left: readonly ColumnSeries[];
  readonly right: readonly ColumnSeries[];
  /** The whole operation, for notes. */
  readonly at: SourceRange;
}

/** A series, and where Prometheus comes across it: first all of the "many" side in order, then all of the "one" side. */
export interface Placed {
  readonly series: ColumnSeries;
  readonly place: number;
}

/** The series of both sides that share a signature. "many" may hold several samples a step, "one" a single one. */
export interface MatchGroup {
  readonly many: Placed[];
  readonly one: Placed[];
}

/** With `group_right` the sides are exchanged: "many" is the right one. */
export function isSwapped({ matching }: Pick<VectorOperator, 'matching'>): boolean {
  return matching.cardinality === 'one-to-many';
}

export function manySide(operands: VectorOperands): readonly ColumnSeries[] {
  return isSwapped(operands) ? operands.right : operands.left;
}

export function oneSide(operands: VectorOperands): readonly ColumnSeries[] {
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
  let place = 0;
  for (const [side, list] of [
    ['many', manySide(operands)],
    ['one', oneSide(operands)],
  ] as const) {
    for (const series of list) {
      groupOf(series)[side].push({ series, place: place++ });
      if (context.spend(WORK_PER_LABEL_SET)) await context.pause();
    }
  }
  return [...groups.values()];
}

/** Two series of the "one" side that are in each other's way. */
export interface Ambiguity {
  readonly step: number;
  readonly series: readonly [Placed, Placed];
}

/**
 * No two samples of the "one" side may be in one group at a step where they could match. Of those that are, the first by
 * step and then by the order of the input.
 */
export async function firstAmbiguity(
  groups: readonly MatchGroup[],
  operands: VectorOperands,
  grid: StepGrid,
  context: QueryContext,
): Promise<Ambiguity | undefined> {
  let found: Ambiguity | undefined;
  for (const { one } of groups) {
    if (one.length < 2) continue;
    if (context.spend(grid.count * one.length)) await context.pause();
    const pair = firstPair(one, found?.step ?? grid.count - 1, operands);
    if (pair === undefined) continue;
    const isFirst = found === undefined || pair.step < found.step || pair.series[0].place < found.series[0].place;
    if (isFirst) found = pair;
  }
  return found;
}

/** The first step, up to `last`, at which two of the series have samples that could match. */
function firstPair(one: readonly Placed[], last: number, operands: VectorOperands): Ambiguity | undefined {
  for (let step = 0; step <= last; step++) {
    let other: Placed | undefined;
    for (const placed of one) {
      if (placed.series.present[step] === 0) continue;
      if (other !== undefined && isMatchable(step, operands)) return { step, series: [placed, other] };
      other ??= placed;
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

export function ambiguityError({ series: [a, b] }: Ambiguity, operands: VectorOperands): Error {
  const [first, second] = [a.series.labels.toString(), b.series.labels.toString()].sort();
  const group = matchedLabels(a.series.labels, operands.matching).toString();
  const side = isSwapped(operands) ? 'left' : 'right';
  return executionError(
    `found duplicate series for the match group ${group} on the ${side} hand-side of the operation: ` +
      `[${first}, ${second}];many-to-many matching not allowed: matching labels must be unique on one side`,
  );
}
