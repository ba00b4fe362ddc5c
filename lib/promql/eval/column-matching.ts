import type { Labels } from '../../model/index.ts';
import { isComparison } from '../parse/ast.ts';
import { floatOperation, type FloatOperation } from './arithmetic.ts';
import {
  clearSamples,
  type ColumnSeries,
  hasHistograms,
  type ScratchColumns,
  scratchColumns,
  type StepGrid,
} from './columns.ts';
import type { QueryContext } from './context.ts';
import { HashList } from './hash-list.ts';
import { hashOfLabels } from './labels-hash.ts';
import { LabelsMemo } from './labels-memo.ts';
import { isSwapped, type VectorOperator } from './match-groups.ts';
import { ENTRY_BYTES, labelsBytes, stepsBytes } from './memory.ts';
import { resultLabels } from './result-labels.ts';
import { matchSignature } from './signature.ts';

export interface ColumnMatchingOptions {
  /**
   * Series of the "many" side have the labels that are looked at only, in one object for all that have the same: they differ in
   * others, without names too.
   */
  readonly isProjected: boolean;
}

/** What a series of the "many" side is matched with, and the labels of the result. */
interface Match {
  readonly one: ColumnSeries;
  readonly labels: Labels;
}

/**
 * A binary operator between vectors of which the "one" side is there and the series of the "many" side pass one by one, all
 * steps of one at a time. That can be where all samples are floats, nothing is filled in, and no two series are in each
 * other's way at any step: each series of the "one" side has its own signature, each result its own labels. What becomes of
 * those that are is decided step by step (`matching.ts`).
 */
export class ColumnMatching {
  readonly #apply: FloatOperation;
  readonly #isFilter: boolean;
  readonly #isSwapped: boolean;
  readonly #signature: ReturnType<typeof matchSignature>;
  readonly #resultLabels: ReturnType<typeof resultLabels>;
  readonly #include: readonly string[];
  readonly #dropName: boolean;
  readonly #grid: StepGrid;
  readonly #context: QueryContext;
  /** The "one" side by signature. */
  readonly #one = new Map<string, ColumnSeries>();
  readonly #columns: ScratchColumns;
  readonly #results = new HashList();
  readonly #isProjected: boolean;
  readonly #known = new LabelsMemo((labels) => this.#match(labels));
  #isRefused = false;

  /** @param operator of those that `takes` says */
  constructor(
    operator: VectorOperator,
    one: readonly ColumnSeries[],
    grid: StepGrid,
    context: QueryContext,
    { isProjected }: ColumnMatchingOptions = { isProjected: false },
  ) {
    this.#apply = floatOperation(operator.op)!;
    this.#isFilter = isComparison(operator.op) && !operator.returnBool;
    this.#isSwapped = isSwapped(operator);
    this.#signature = matchSignature(operator.matching);
    this.#resultLabels = resultLabels(operator, context);
    this.#include = operator.matching.include;
    this.#dropName = operator.returnBool;
    this.#isProjected = isProjected;
    this.#grid = grid;
    this.#context = context;
    context.requireBytes(stepsBytes(grid.count));
    this.#columns = scratchColumns(grid, context.memory);
    for (const series of one) this.#place(series);
  }

  static takes({ op, matching }: VectorOperator): boolean {
    const { fillLeft, fillRight } = matching;
    return floatOperation(op) !== undefined && fillLeft === undefined && fillRight === undefined;
  }

  /** The operation has to be computed step by step: what `add` gave does not count. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** @returns what becomes of a series of the "many" side, if anything; its columns are written over by the next */
  add(many: ColumnSeries): ColumnSeries | undefined {
    if (this.#isRefused) return undefined;
    const match = this.#isProjected ? this.#known.get(many.labels) : this.#match(many.labels);
    if (match === undefined) return undefined;
    if (hasHistograms(many)) this.#isRefused = true;
    if (this.#isRefused || !this.#compute(many, match.one)) return undefined;
    return { labels: match.labels, dropName: this.#dropName, ...this.#columns };
  }

  #match(many: Labels): Match | undefined {
    const one = this.#one.get(this.#signature(many));
    if (one === undefined) return undefined;
    const labels = this.#resultLabels(many, one.labels);
    if (this.#isProjected) {
      // What is given labels in place of its own may become equal to others.
      if (this.#include.some((name) => many.has(name))) this.#isRefused = true;
      return { one, labels };
    }
    this.#context.takeBytes(ENTRY_BYTES);
    const { length } = this.#results;
    if (this.#results.add(hashOfLabels(labels)) < length) this.#isRefused = true;
    return { one, labels };
  }

  #place(series: ColumnSeries): void {
    const key = this.#signature(series.labels);
    if (this.#one.has(key) || hasHistograms(series)) this.#isRefused = true;
    this.#context.takeBytes(labelsBytes(series.labels) + 4 * ENTRY_BYTES);
    this.#one.set(key, series);
  }

  /** @returns whether any step has a value */
  #compute(many: ColumnSeries, one: ColumnSeries): boolean {
    const apply = this.#apply;
    const isFilter = this.#isFilter;
    const [left, right] = this.#isSwapped ? [one, many] : [many, one];
    const { values: leftValues, present: isLeft } = left;
    const { values: rightValues, present: isRight } = right;
    const { values, present } = this.#columns;
    this.#context.countWork(this.#grid.count);
    clearSamples(this.#columns);
    // Data seldom covers a long grid.
    const first = many.present.indexOf(1);
    const end = many.present.lastIndexOf(1) + 1;
    let hasAny = false;
    for (let step = Math.max(0, first); step < end; step++) {
      if (isLeft[step] === 0 || isRight[step] === 0) continue;
      const result = apply(leftValues[step]!, rightValues[step]!);
      if (isFilter && result === 0) continue;
      values[step] = isFilter ? leftValues[step]! : result;
      present[step] = 1;
      hasAny = true;
    }
    return hasAny;
  }
}
