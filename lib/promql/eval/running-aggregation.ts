import type { Labels } from '../../model/index.ts';
import type { AggregateExpr, AggregateOperator } from '../parse/ast.ts';
import { entriesOf, type PartialAggregation, partialBytes, PartialBuilder } from '../parallel/partial.ts';
import { type Accumulator, ACCUMULATORS, type AccumulatorState, type ReducingOperator } from './accumulators.ts';
import { type ColumnSeries, copyOf, hasHistograms, hasSamples, type StepGrid } from './columns.ts';
import type { QueryContext } from './context.ts';
import { groupLabels } from './grouping.ts';
import { HistogramAccumulator } from './histogram-accumulator.ts';
import { LabelsMemo } from './labels-memo.ts';
import { ACCUMULATOR_STEP_BYTES, ENTRY_BYTES, labelsBytes, seriesBytes } from './memory.ts';

const RUNNING = new Set<AggregateOperator>(['sum', 'avg', 'count', 'group', 'min', 'max', 'stddev', 'stdvar']);
const ADDING_HISTOGRAMS: ReadonlySet<AggregateOperator> = new Set(['sum', 'avg']);
export const IGNORING_HISTOGRAMS: ReadonlySet<AggregateOperator> = new Set([
  'min',
  'max',
  'stddev',
  'stdvar',
  'quantile',
]);

/** What the most columns of a partial take per step. */
const PARTIAL_STEP_BYTES = 25;

/** One output series. A group of one series is that series; only the second makes an accumulator of it. */
interface RunningGroup {
  readonly labels: Labels;
  dropName: boolean;
  first: ColumnSeries | undefined;
  /** Or what a part has made of it. */
  firstState: AccumulatorState | undefined;
  accumulator: Accumulator | undefined;
  addsHistograms: boolean;
}

/** Operators that need each series once, in any order. */
export function isRunning(op: AggregateOperator): op is ReducingOperator {
  return RUNNING.has(op);
}

/**
 * An aggregation that takes its series as they come, and holds its groups only: memory does not grow with the series that
 * are read. The result is that of `aggregate`.
 */
export class RunningAggregation {
  readonly #expr: AggregateExpr;
  readonly #op: ReducingOperator;
  readonly #grid: StepGrid;
  readonly #context: QueryContext;
  readonly #groups = new Map<string, RunningGroup>();
  readonly #groupOf: LabelsMemo<RunningGroup>;
  #hasHistograms = false;

  constructor(expr: AggregateExpr, op: ReducingOperator, grid: StepGrid, context: QueryContext) {
    this.#expr = expr;
    this.#op = op;
    this.#grid = grid;
    this.#context = context;
    const labelsOf = groupLabels(expr, expr.grouping);
    this.#groupOf = new LabelsMemo((labels) => this.#group(labelsOf(labels)));
  }

  /** The series' columns may be written over afterwards. */
  add(series: ColumnSeries): void {
    const group = this.#groupOf.get(series.labels);
    if (series.dropName) group.dropName = true;
    const isHistogram = series.histograms !== undefined && hasHistograms(series);
    if (isHistogram) this.#hasHistograms = true;
    if (group.accumulator === undefined) {
      if (group.first === undefined && group.firstState === undefined) {
        this.#context.takeBytes(seriesBytes(series));
        group.first = copyOf(series);
        return;
      }
      this.#accumulate(group);
    }
    if (isHistogram) this.#takeHistograms(group);
    group.accumulator!.add(series);
    this.#context.countWork(this.#grid.count);
  }

  /** What was added up to now, for `addPartials` of another; then this one is used up. Undefined when that cannot be told. */
  partial(): PartialAggregation | undefined {
    if (!this.takesPartials) return undefined;
    this.#context.takeBytes(PARTIAL_STEP_BYTES * this.#groups.size * this.#grid.count);
    const builder = new PartialBuilder(this.#groups.size, this.#grid.count);
    for (const group of this.#groups.values()) {
      if (group.accumulator === undefined) this.#accumulate(group);
      builder.add(group.labels, group.dropName, group.accumulator!.state!);
      group.accumulator = undefined;
    }
    return builder.finish(this.#hasHistograms);
  }

  /** Sums of native histograms are not told in parts. */
  get takesPartials(): boolean {
    return !this.#hasHistograms || !ADDING_HISTOGRAMS.has(this.#op);
  }

  /**
   * Adds what others have made of series that come behind those added before.
   * @returns false when the series themselves are needed
   */
  addPartials(partials: readonly PartialAggregation[]): boolean {
    if (!this.takesPartials) return false;
    for (const partial of partials) this.#addPartial(partial);
    return true;
  }

  #addPartial(partial: PartialAggregation): void {
    this.#context.takeBytes(partialBytes(partial));
    if (partial.hasHistograms) this.#hasHistograms = true;
    for (const { labels, dropName, columns } of entriesOf(partial, this.#grid.count)) {
      const group = this.#group(labels);
      if (dropName) group.dropName = true;
      if (group.accumulator === undefined && group.first === undefined && group.firstState === undefined) {
        group.firstState = columns;
        continue;
      }
      if (group.accumulator === undefined) this.#accumulate(group);
      group.accumulator!.merge!(columns);
    }
  }

  /** The groups that have samples, in order of their first series. */
  finish(): ColumnSeries[] {
    if (this.#hasHistograms && IGNORING_HISTOGRAMS.has(this.#op)) {
      this.#context.info(`ignored histogram in ${this.#op} aggregation`, this.#expr.expr);
    }
    const out: ColumnSeries[] = [];
    for (const group of this.#groups.values()) {
      if (group.accumulator === undefined) this.#accumulate(group);
      const { labels, dropName, accumulator } = group;
      const result = { labels, dropName, ...accumulator!.finish() };
      group.accumulator = undefined;
      if (hasSamples(result)) out.push(result);
    }
    return out;
  }

  #group(labels: Labels): RunningGroup {
    let group = this.#groups.get(labels.key);
    if (group === undefined) {
      this.#context.takeBytes(labelsBytes(labels) + 3 * ENTRY_BYTES);
      group = {
        labels,
        dropName: false,
        first: undefined,
        firstState: undefined,
        accumulator: undefined,
        addsHistograms: false,
      };
      this.#groups.set(labels.key, group);
    }
    return group;
  }

  #accumulate(group: RunningGroup): void {
    this.#context.takeBytes(ACCUMULATOR_STEP_BYTES * this.#grid.count);
    group.accumulator = ACCUMULATORS[this.#op](this.#grid, undefined, this.#context.memory);
    const { first, firstState } = group;
    group.first = undefined;
    group.firstState = undefined;
    if (firstState !== undefined) group.accumulator.merge!(firstState);
    if (first === undefined) return;
    if (first.histograms !== undefined && hasHistograms(first)) this.#takeHistograms(group);
    group.accumulator.add(first);
  }

  /** From here on histograms are added too. */
  #takeHistograms(group: RunningGroup): void {
    if (group.addsHistograms || !ADDING_HISTOGRAMS.has(this.#op)) return;
    group.addsHistograms = true;
    group.accumulator = new HistogramAccumulator(this.#expr, group.accumulator!, this.#grid, this.#context);
  }
}
