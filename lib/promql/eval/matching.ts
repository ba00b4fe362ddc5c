import type { FloatHistogram } from '../../model/index.ts';
import { WORK_PER_LABEL_SET } from '../limits.ts';
import { isComparison, type VectorMatching } from '../parse/ast.ts';
import { type BinaryResult, histogramBinary, type SampleValue } from '../histogram/binary.ts';
import { floatOperation, type FloatOperation } from './arithmetic.ts';
import { ColumnCollector } from './column-collector.ts';
import { ColumnMatching } from './column-matching.ts';
import type { ColumnSeries, StepGrid } from './columns.ts';
import { SeriesCollector } from './combine.ts';
import { executionError, type QueryContext } from './context.ts';
import { LastNotes } from './last-notes.ts';
import {
  ambiguityError,
  firstAmbiguity,
  isSwapped,
  manySide,
  type MatchGroup,
  matchGroups,
  oneSide,
  type Placed,
  type VectorOperands,
} from './match-groups.ts';
import { ENTRY_BYTES } from './memory.ts';
import { resultLabels } from './result-labels.ts';
import { matchedLabels } from './signature.ts';

/**
 * An arithmetic or comparison operator between two vectors (Prometheus `VectorBinop`).
 * @throws PromletError `promql/execution` when a side that must be unique is not
 */
export async function vectorBinary(
  operands: VectorOperands,
  grid: StepGrid,
  context: QueryContext,
): Promise<readonly ColumnSeries[]> {
  const before = context.held;
  const found = ColumnMatching.takes(operands) ? await columnByColumn(operands, grid, context) : undefined;
  if (found !== undefined) return found;
  context.holdOnly(before, 0, 0);
  return stepByStep(operands, grid, context);
}

/** @returns undefined when series are in each other's way, or hold histograms */
async function columnByColumn(
  operands: VectorOperands,
  grid: StepGrid,
  context: QueryContext,
): Promise<readonly ColumnSeries[] | undefined> {
  const matching = new ColumnMatching(operands, oneSide(operands), grid, context);
  const collector = new ColumnCollector(grid, context);
  for (const many of manySide(operands)) {
    const result = matching.add(many);
    if (matching.isRefused) return undefined;
    if (result !== undefined) collector.add(result);
    if (context.spend(WORK_PER_LABEL_SET)) await context.pause();
  }
  return matching.isRefused ? undefined : collector.series;
}

async function stepByStep(
  operands: VectorOperands,
  grid: StepGrid,
  context: QueryContext,
): Promise<readonly ColumnSeries[]> {
  const operation = new VectorOperation(operands, grid, context);
  const groups = await matchGroups(operands, context);
  const ambiguity = await firstAmbiguity(groups, operands, grid, context);
  // Prometheus goes from step to step: what is wrong at an earlier one is said first.
  const end = ambiguity?.step ?? grid.count;
  for (const group of groups) {
    operation.evaluate(group, end);
    const work = end * (group.many.length + group.one.length);
    if (context.spend(work)) await context.pause();
  }
  if (ambiguity !== undefined) throw ambiguityError(ambiguity, operands);
  return operation.result();
}

class VectorOperation {
  readonly #operands: VectorOperands;
  readonly #matching: VectorMatching;
  readonly #grid: StepGrid;
  readonly #context: QueryContext;
  /** undefined for operators that floats do not have. */
  readonly #apply: FloatOperation | undefined;
  readonly #isFilter: boolean;
  /** With `group_right` the sides are exchanged, and each float operation exchanges them back. */
  readonly #isSwapped: boolean;
  readonly #resultLabels: ReturnType<typeof resultLabels>;
  readonly #collector: SeriesCollector;
  readonly #notes = new LastNotes();
  /** By output series, for a single step: where its first sample was come across. */
  readonly #places = new Map<ColumnSeries, number>();
  /** Output series by "many" and "one" series: labels are joined once per pair, not once per step. */
  #outputs = new Map<Placed, Map<Placed | undefined, ColumnSeries>>();
  /** By output series, 1 at the steps at which it matched: what a filter drops has matched too. */
  #matched = new Map<ColumnSeries, Uint8Array>();

  constructor(operands: VectorOperands, grid: StepGrid, context: QueryContext) {
    this.#operands = operands;
    this.#matching = operands.matching;
    this.#grid = grid;
    this.#context = context;
    this.#apply = floatOperation(operands.op);
    this.#isFilter = isComparison(operands.op) && !operands.returnBool;
    this.#isSwapped = isSwapped(operands);
    this.#resultLabels = resultLabels(operands, context);
    this.#collector = new SeriesCollector(grid, context);
  }

  result(): ColumnSeries[] {
    this.#notes.report(this.#context, this.#operands.at);
    const result = this.#collector.result();
    // Those of a single time have an order, which decides among equals in what is done with them.
    if (this.#grid.count > 1) return result;
    return result.sort((a, b) => this.#places.get(a)! - this.#places.get(b)!);
  }

  /** Evaluates the steps before `end`. */
  evaluate(group: MatchGroup, end: number): void {
    this.#outputs = new Map();
    this.#matched = new Map();
    if (group.one.length === 0 && this.#matching.fillRight === undefined) return;
    for (let step = 0; step < end; step++) this.#evaluateStep(group, step);
  }

  #evaluateStep(group: MatchGroup, step: number): void {
    const { fillLeft, fillRight } = this.#matching;
    const one = group.one.find(({ series }) => series.present[step] === 1);
    let matchCount = 0;
    for (const many of group.many) {
      const { series } = many;
      if (series.present[step] === 0) continue;
      if (one === undefined && fillRight === undefined) continue;
      if (this.#apply === undefined || series.histograms !== undefined || one?.series.histograms !== undefined) {
        matchCount += this.#putAny(many, one, step, matchCount);
        continue;
      }
      this.#checkUnique(++matchCount);
      const output = this.#output(many, one, many);
      this.#put(output, step, series.values[step]!, one === undefined ? fillRight! : one.series.values[step]!);
    }
    if (one === undefined || matchCount > 0 || fillLeft === undefined) return;
    if (this.#apply === undefined || one.series.histograms !== undefined) this.#putAny(undefined, one, step, 0);
    else this.#put(this.#output(one, one, undefined), step, fillLeft, one.series.values[step]!);
  }

  #checkUnique(matchCount: number): void {
    if (matchCount > 1 && this.#matching.cardinality === 'one-to-one') {
      throw executionError(
        'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
      );
    }
  }

  /**
   * The same for samples that may be histograms. A side without a sample is filled in.
   * @returns 1 if they matched, 0 when the operator does not apply to them
   */
  #putAny(many: Placed | undefined, one: Placed | undefined, step: number, matchCount: number): 0 | 1 {
    const { fillLeft, fillRight } = this.#matching;
    const manyValue = many === undefined ? fillLeft! : sampleAt(many, step);
    const oneValue = one === undefined ? fillRight! : sampleAt(one, step);
    const areFloats = typeof manyValue === 'number' && typeof oneValue === 'number';
    if (areFloats && this.#apply !== undefined) {
      this.#checkUnique(matchCount + 1);
      this.#put(this.#output(many ?? one!, one, many), step, manyValue, oneValue);
      return 1;
    }
    const [left, right] = this.#isSwapped ? [oneValue, manyValue] : [manyValue, oneValue];
    const result = histogramBinary(this.#operands.op, left, right);
    if (result.note !== undefined) this.#notes.add(step, (many ?? one)!.place, result.note);
    if (result.value === undefined) return 0;
    this.#checkUnique(matchCount + 1);
    this.#putResult(this.#output(many ?? one!, one, many), step, result, left);
    return 1;
  }

  #putResult(output: ColumnSeries, step: number, { value }: BinaryResult, left: SampleValue): void {
    this.#checkNew(output, step);
    if (typeof value === 'object') this.#collector.putHistogram(output, step, value);
    else if (!this.#isFilter) this.#collector.put(output, step, Number(value));
    else if (value === true) this.#collector.putHistogram(output, step, left as FloatHistogram);
  }

  #put(output: ColumnSeries, step: number, many: number, one: number): void {
    const value = this.#isSwapped ? this.#apply!(one, many) : this.#apply!(many, one);
    this.#checkNew(output, step);
    if (!this.#isFilter) this.#collector.put(output, step, value);
    else if (value === 1) this.#collector.put(output, step, this.#isSwapped ? one : many);
  }

  /** Labels that `group_left` takes from the "one" side can make series of the "many" side equal. */
  #checkNew(output: ColumnSeries, step: number): void {
    const { cardinality, include } = this.#matching;
    if (cardinality === 'one-to-one') return;
    let isTaken = output.present[step] === 1;
    if (this.#isFilter && include.length > 0) {
      let matched = this.#matched.get(output);
      if (matched === undefined) {
        this.#context.takeBytes(ENTRY_BYTES + this.#grid.count);
        this.#matched.set(output, (matched = new Uint8Array(this.#grid.count)));
      }
      isTaken ||= matched[step] === 1;
      matched[step] = 1;
    }
    if (isTaken) throw executionError('multiple matches for labels: grouping labels must ensure unique matches');
  }

  /** @param key the side that the operation goes through */
  #output(key: Placed, one: Placed | undefined, many: Placed | undefined): ColumnSeries {
    let byOne = this.#outputs.get(key);
    if (byOne === undefined) {
      this.#context.takeBytes(4 * ENTRY_BYTES);
      this.#outputs.set(key, (byOne = new Map()));
    }
    let output = byOne.get(one);
    if (output === undefined) {
      this.#context.takeBytes(ENTRY_BYTES);
      output = this.#newOutput(many, one);
      byOne.set(one, output);
    }
    return output;
  }

  /** The series that the results of a pair go to. */
  #newOutput(many: Placed | undefined, one: Placed | undefined): ColumnSeries {
    const manyLabels = many?.series.labels ?? matchedLabels(one!.series.labels, this.#matching);
    const oneLabels = one?.series.labels ?? matchedLabels(many!.series.labels, this.#matching);
    const output = this.#collector.series(this.#resultLabels(manyLabels, oneLabels), this.#operands.returnBool);
    if (this.#grid.count === 1) this.#places.set(output, (many ?? one)!.place);
    return output;
  }
}

function sampleAt({ series }: Placed, step: number): SampleValue {
  return series.histograms?.[step] ?? series.values[step]!;
}
