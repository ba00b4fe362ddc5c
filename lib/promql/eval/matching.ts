import { type FloatHistogram, type Labels, LabelsBuilder } from '../../model/index.ts';
import { isComparison, type VectorMatching } from '../parse/ast.ts';
import { type BinaryResult, histogramBinary, type SampleValue } from '../histogram/binary.ts';
import { changesMetric, floatOperation, type FloatOperation } from './arithmetic.ts';
import { type ColumnSeries, type StepGrid, withoutMetadata } from './columns.ts';
import { SeriesCollector } from './combine.ts';
import { executionError, type QueryContext } from './context.ts';
import { LastNotes } from './last-notes.ts';
import { checkOneSide, isSwapped, type MatchGroup, matchGroups, type VectorOperands } from './match-groups.ts';
import { ENTRY_BYTES } from './memory.ts';
import { matchedLabels } from './signature.ts';

/**
 * An arithmetic or comparison operator between two vectors (Prometheus `VectorBinop`).
 * @throws PromletError `promql/execution` when a side that must be unique is not
 */
export async function vectorBinary(
  operands: VectorOperands,
  grid: StepGrid,
  context: QueryContext,
): Promise<ColumnSeries[]> {
  const operation = new VectorOperation(operands, grid, context);
  const groups = await matchGroups(operands, context);
  await checkOneSide(groups, operands, grid, context);
  for (const group of groups) {
    operation.evaluate(group);
    const work = grid.count * (group.many.length + group.one.length);
    if (context.spend(work)) await context.pause();
  }
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
  readonly #collector: SeriesCollector;
  readonly #notes = new LastNotes();
  #places: Map<ColumnSeries, number> | undefined;
  /** By labels, for a single step: what place of the input made it. */
  readonly #resultPlaces = new Map<string, number>();
  /** Output series by "many" and "one" series: labels are joined once per pair, not once per step. */
  #outputs = new Map<ColumnSeries, Map<ColumnSeries | undefined, ColumnSeries>>();

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
    this.#collector = new SeriesCollector(grid, context);
  }

  result(): ColumnSeries[] {
    this.#notes.report(this.#context, this.#operands.at);
    const result = this.#collector.result();
    // Those of a single time have an order, which decides among equals in what is done with them.
    if (this.#grid.count > 1) return result;
    return result.sort((a, b) => this.#resultPlaces.get(a.labels.key)! - this.#resultPlaces.get(b.labels.key)!);
  }

  evaluate(group: MatchGroup): void {
    this.#outputs = new Map();
    this.#matched = new Map();
    for (let step = 0; step < this.#grid.count; step++) this.#evaluateStep(group, step);
  }

  #evaluateStep(group: MatchGroup, step: number): void {
    const { fillLeft, fillRight } = this.#matching;
    const one = this.#only(group, step);
    let matchCount = 0;
    for (const many of group.many) {
      if (many.present[step] === 0) continue;
      if (one === undefined && fillRight === undefined) continue;
      if (this.#apply === undefined || many.histograms !== undefined || one?.histograms !== undefined) {
        matchCount += this.#putAny(many, one, step, matchCount);
        continue;
      }
      this.#checkUnique(++matchCount);
      const output = this.#output(many, one, many);
      this.#put(output, step, many.values[step]!, one === undefined ? fillRight! : one.values[step]!);
    }
    if (one === undefined || matchCount > 0 || fillLeft === undefined) return;
    if (this.#apply === undefined || one.histograms !== undefined) this.#putAny(undefined, one, step, 0);
    else this.#put(this.#output(one, one, undefined), step, fillLeft, one.values[step]!);
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
  #putAny(many: ColumnSeries | undefined, one: ColumnSeries | undefined, step: number, matchCount: number): 0 | 1 {
    const { fillLeft, fillRight } = this.#matching;
    const manyValue = many === undefined ? fillLeft! : (many.histograms?.[step] ?? many.values[step]!);
    const oneValue = one === undefined ? fillRight! : (one.histograms?.[step] ?? one.values[step]!);
    const areFloats = typeof manyValue === 'number' && typeof oneValue === 'number';
    if (areFloats && this.#apply !== undefined) {
      this.#checkUnique(matchCount + 1);
      this.#put(this.#output(many ?? one!, one, many), step, manyValue, oneValue);
      return 1;
    }
    const [left, right] = this.#isSwapped ? [oneValue, manyValue] : [manyValue, oneValue];
    const result = histogramBinary(this.#operands.op, left, right);
    if (result.note !== undefined) this.#notes.add(step, this.#placeOf(many, one), result.note);
    if (result.value === undefined) return 0;
    this.#checkUnique(matchCount + 1);
    this.#putResult(this.#output(many ?? one!, one, many), step, result, left);
    return 1;
  }

  /** Where Prometheus would come across the pair: samples of the "many" side in order, then those that are filled in. */
  #placeOf(many: ColumnSeries | undefined, one: ColumnSeries | undefined): number {
    if (this.#places === undefined) {
      const { left, right } = this.#operands;
      const inOrder = this.#isSwapped ? [...right, ...left] : [...left, ...right];
      this.#context.takeBytes(ENTRY_BYTES * inOrder.length);
      // Both sides may be one and the same list: then the places of the "many" side count.
      this.#places = new Map(inOrder.map((series, place) => [series, place] as const).reverse());
    }
    return this.#places.get((many ?? one)!)!;
  }

  #putResult(output: ColumnSeries, step: number, { value }: BinaryResult, left: SampleValue): void {
    this.#checkNew(output, step);
    if (typeof value === 'object') this.#collector.putHistogram(output, step, value);
    else if (!this.#isFilter) this.#collector.put(output, step, Number(value));
    else if (value === true) this.#collector.putHistogram(output, step, left as FloatHistogram);
  }

  /** The sample of the "one" side at this step; there are several only where nothing matches. */
  #only(group: MatchGroup, step: number): ColumnSeries | undefined {
    return group.one.find((series) => series.present[step] === 1);
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

  #output(key: ColumnSeries, one: ColumnSeries | undefined, many: ColumnSeries | undefined): ColumnSeries {
    let byOne = this.#outputs.get(key);
    if (byOne === undefined) {
      this.#context.takeBytes(4 * ENTRY_BYTES);
      this.#outputs.set(key, (byOne = new Map()));
    }
    let output = byOne.get(one);
    if (output === undefined) {
      this.#context.takeBytes(ENTRY_BYTES);
      const manyLabels = many?.labels ?? matchedLabels(one!.labels, this.#matching);
      const oneLabels = one?.labels ?? matchedLabels(many!.labels, this.#matching);
      const { returnBool } = this.#operands;
      output = this.#collector.series(this.#resultLabels(manyLabels, oneLabels), returnBool);
      if (this.#grid.count === 1) this.#resultPlaces.set(output.labels.key, this.#placeOf(many, one));
      byOne.set(one, output);
    }
    return output;
  }

  #resultLabels(many: Labels, one: Labels): Labels {
    const { op, returnBool } = this.#operands;
    const { cardinality, labels: names, on, include } = this.#matching;
    const dropsName = changesMetric(op) || (returnBool && !this.#context.delayedNameRemoval);
    let labels = dropsName ? withoutMetadata(many) : many;
    if (cardinality === 'one-to-one') {
      const set = new Set(names);
      labels = on ? labels.keep(set) : labels.without(set);
    }
    if (include.length === 0) return labels;
    const builder = new LabelsBuilder(labels);
    for (const name of include) builder.set(name, one.get(name));
    return builder.labels();
  }
}
