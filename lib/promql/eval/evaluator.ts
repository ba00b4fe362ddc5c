import type { SelectionPart } from '../../storage/index.ts';
import { assert } from '../../model/index.ts';
import { checkExtension } from '../functions/extended-window.ts';
import { INSTANT_FUNCTIONS } from '../functions/instant.ts';
import { checkLabelArguments } from '../functions/labels.ts';
import { type WindowArgument, windowArgument, windowFunctionOf } from '../functions/window-argument.ts';
import { evaluateWindows, type WindowCall } from '../functions/window-driver.ts';
import type { BinaryExpr, CallExpr, Expr, MatrixSelector, SubqueryExpr } from '../parse/ast.ts';
import { withoutParens } from '../parse/ast.ts';
import { AggregationEvaluator, type PartialResult } from './aggregation-evaluator.ts';
import { negated, scalarBinary, vectorScalarBinary } from './arithmetic.ts';
import {
  type ColumnSeries,
  type Columns,
  type ColumnVisitor,
  countSamples,
  renamed,
  type StepGrid,
} from './columns.ts';
import { collectMatrix } from './collect-matrix.ts';
import { mergeEqualLabels } from './combine.ts';
import { executionError, type QueryContext } from './context.ts';
import { countedWindows } from './counted-windows.ts';
import type { Distribution } from '../parallel/distribution.ts';
import type { Sharing } from '../parallel/sharing.ts';
import { absentWindows } from './absent.ts';
import { evaluateInfo } from './info.ts';
import { selectInstant } from './instant-selector.ts';
import { lookupTimes } from './lookup-times.ts';
import { columnsBytes, SAMPLE_BYTES, stepsBytes } from './memory.ts';
import { vectorBinary } from './matching.ts';
import { NameLoss } from './name-loss.ts';
import type { OperandEvaluator } from './operand-evaluator.ts';
import { type RangeVector, selectRange } from './range-selector.ts';
import type { SelectorHints, SelectorReader } from './select.ts';
import { SampleCounts } from './sample-counts.ts';
import { SeriesVisits } from './series-visits.ts';
import { selectSmoothed } from './smoothed-selector.ts';
import { setOperation } from './set-operators.ts';
import { isStepInvariant, repeated } from './step-invariance.ts';
import { subqueryWindows } from './subquery-windows.ts';
import type { MatrixSeries } from './value.ts';

/** Evaluates expressions column by column: every operator sees all steps of its inputs at once. */
export class Evaluator implements OperandEvaluator {
  readonly #context: QueryContext;
  readonly #reader: SelectorReader;
  readonly #subqueryStepMs: number;
  readonly #visits: SeriesVisits;
  readonly #aggregations: AggregationEvaluator;

  /** @param sharing where others help */
  constructor(context: QueryContext, reader: SelectorReader, subqueryStepMs: number, sharing?: Sharing) {
    this.#context = context;
    this.#reader = reader;
    this.#subqueryStepMs = subqueryStepMs;
    this.#visits = new SeriesVisits(this, context, reader);
    this.#aggregations = new AggregationEvaluator(this, this.#visits, context, reader, sharing);
  }

  /** The value of an expression of type scalar or vector over `grid`. */
  async evaluate(expr: Expr, grid: StepGrid, hints: SelectorHints = {}): Promise<Columns> {
    const context = this.#context;
    if (context.spend(64)) await context.pause();
    const before = context.held;
    const result =
      grid.count > 1 && isStepInvariant(expr)
        ? repeated(await this.#once(expr, { ...grid, count: 1, isRange: false }, hints), grid.count, context)
        : await this.#dispatch(expr, grid, hints);
    // The inputs are garbage now: only the result is held.
    context.holdOnly(before, countSamples(result), columnsBytes(result));
    return result;
  }

  /**
   * The value of an expression of type vector series by series, none of them held.
   * @returns false when it has to be evaluated as a whole: what was visited does not count
   */
  async visit(expr: Expr, grid: StepGrid, visitor: ColumnVisitor): Promise<boolean> {
    const { counts, delayedNameRemoval } = this.#context;
    // Names that go in the end may make series equal.
    if (delayedNameRemoval) return false;
    const before = counts?.mark();
    if (await this.#visits.visit(expr, grid, {}, visitor)) return true;
    if (before !== undefined) counts?.restore(before);
    return false;
  }

  /** What has one value at all steps. */
  async #once(expr: Expr, grid: StepGrid, hints: SelectorHints): Promise<Columns> {
    const { counts } = this.#context;
    if (counts === undefined) return this.#dispatch(expr, grid, hints);
    const [result, own] = await this.#counting(grid, async () => this.#dispatch(expr, grid, hints));
    counts.addInvariant(own.counted);
    return result;
  }

  /** Counts what `evaluate` looks at by the steps of a grid of its own. */
  async #counting<T>(grid: StepGrid, evaluate: () => Promise<T>): Promise<[T, SampleCounts]> {
    const context = this.#context;
    const { counts } = context;
    const own = new SampleCounts(grid);
    context.counts = own;
    try {
      return [await evaluate(), own];
    } finally {
      context.counts = counts;
    }
  }

  #dispatch(expr: Expr, grid: StepGrid, hints: SelectorHints): Promise<Columns> | Columns {
    switch (expr.kind) {
      case 'number':
        return { type: 'scalar', values: new Float64Array(grid.count).fill(expr.value) };
      case 'paren':
        return this.#dispatch(expr.expr, grid, hints);
      case 'vector':
        return this.#select(expr, grid, hints);
      case 'unary':
        return this.#unary(expr.op, expr.expr, grid);
      case 'binary':
        return this.#binary(expr, grid);
      case 'aggregate':
        return this.#aggregations.evaluate(expr, grid);
      case 'call':
        return this.#call(expr, grid);
      case 'string':
      case 'matrix':
      case 'subquery':
        assert(false, `promql: ${expr.kind} evaluated as a vector`);
    }
  }

  /** The value of a string literal, in parentheses or not. */
  string(expr: Expr): string {
    const literal = withoutParens(expr);
    assert(literal.kind === 'string', 'promql: not a string literal');
    return literal.value;
  }

  async vector(expr: Expr, grid: StepGrid, hints: SelectorHints = {}): Promise<readonly ColumnSeries[]> {
    const columns = await this.evaluate(expr, grid, hints);
    assert(columns.type === 'vector', 'promql: expected a vector');
    return columns.series;
  }

  async scalar(expr: Expr, grid: StepGrid): Promise<Float64Array> {
    const columns = await this.evaluate(expr, grid);
    assert(columns.type === 'scalar', 'promql: expected a scalar');
    return columns.values;
  }

  /** All samples of a range vector, of a grid of one step. */
  async matrix(expr: Expr, grid: StepGrid): Promise<MatrixSeries[]> {
    const inner = withoutParens(expr);
    const isSubquery = inner.kind === 'subquery';
    const range = isSubquery ? await this.#subquery(inner, grid, true) : await this.#rangeVector(inner, grid, {});
    return collectMatrix(range, this.#context, !isSubquery);
  }

  async #select(expr: Expr & { kind: 'vector' }, grid: StepGrid, hints: SelectorHints): Promise<Columns> {
    const select = expr.extension === 'smoothed' ? selectSmoothed : selectInstant;
    return { type: 'vector', series: await select(expr, grid, this.#context, this.#reader, hints) };
  }

  async #unary(op: '+' | '-', expr: Expr, grid: StepGrid): Promise<Columns> {
    const operand = await this.evaluate(expr, grid);
    if (op === '+') return operand;
    this.#context.takeBytes(columnsBytes(operand));
    if (operand.type === 'scalar') return { type: 'scalar', values: operand.values.map((value) => -value) };
    const series = operand.series.map((one) => ({ ...renamed(this.#context, one.labels), ...negated(one) }));
    return { type: 'vector', series: this.#mergeRenamed(series) };
  }

  /** Without delayed name removal, series that lost their names may have become equal. */
  #mergeRenamed(series: readonly ColumnSeries[]): readonly ColumnSeries[] {
    return this.#context.delayedNameRemoval ? series : mergeEqualLabels(series, this.#context);
  }

  async #binary(expr: BinaryExpr, grid: StepGrid): Promise<Columns> {
    const { op, returnBool } = expr;
    const left = await this.evaluate(expr.left, grid);
    const right = await this.evaluate(expr.right, grid);
    if (left.type === 'scalar') {
      if (right.type === 'scalar') return { type: 'scalar', values: scalarBinary(op, left.values, right.values) };
      const operands = { op, series: right.series, scalar: left.values, scalarIsLeft: true, returnBool, at: expr };
      return { type: 'vector', series: this.#mergeRenamed(vectorScalarBinary(operands, this.#context)) };
    }
    if (right.type === 'scalar') {
      const operands = { op, series: left.series, scalar: right.values, scalarIsLeft: false, returnBool, at: expr };
      return { type: 'vector', series: this.#mergeRenamed(vectorScalarBinary(operands, this.#context)) };
    }
    const matching = expr.matching!;
    if (op === 'and' || op === 'or' || op === 'unless') {
      return { type: 'vector', series: setOperation(op, left.series, right.series, matching, grid, this.#context) };
    }
    const series = await vectorBinary(
      { op, left: left.series, right: right.series, matching, returnBool, at: expr },
      grid,
      this.#context,
    );
    return { type: 'vector', series };
  }

  /** What an aggregation makes of the series of some parts; no partial when it cannot be told of them alone. */
  partial(distribution: Distribution, grid: StepGrid, parts: readonly SelectionPart[]): Promise<PartialResult> {
    return this.#aggregations.partial(distribution, grid, parts);
  }

  async #call(expr: CallExpr, grid: StepGrid): Promise<Columns> {
    const { name } = expr.func;
    const windows = windowArgument(expr);
    if (windows !== undefined) return this.#windowCall(windows, grid);
    const args = expr.args.map(withoutParens);
    const first = args[0];
    if (name === 'start_timestamp' && first?.kind !== 'vector') {
      await this.vector(first!, grid, { func: name });
      return { type: 'vector', series: [] };
    }
    if ((name === 'timestamp' || name === 'start_timestamp') && first?.kind === 'vector') {
      const what = name === 'timestamp' ? name : 'start';
      const found = await selectInstant(first, grid, this.#context, this.#reader, { func: name }, what);
      if (what === 'start' && !this.#context.usesStartTimes) return { type: 'vector', series: [] };
      const series = found.map((one) => ({ ...one, ...renamed(this.#context, one.labels) }));
      return { type: 'vector', series: this.#mergeRenamed(series) };
    }
    if (name === 'info') return this.#info(args, grid);
    const evaluate = INSTANT_FUNCTIONS.get(name);
    if (evaluate === undefined) throw executionError(`function ${name} is not supported`);
    const strings = args.filter((arg) => arg.kind === 'string').map((arg) => arg.value);
    checkLabelArguments(name, strings);
    const columns: Columns[] = [];
    for (const arg of args) {
      if (arg.kind !== 'string') columns.push(await this.evaluate(arg, grid, { func: name }));
    }
    const result = evaluate({ expr: { ...expr, args }, columns, strings, grid, context: this.#context });
    if (result.type === 'scalar') return result;
    return { type: 'vector', series: this.#mergeRenamed(result.series) };
  }

  async #info([baseExpr, selector]: readonly Expr[], grid: StepGrid): Promise<Columns> {
    assert(
      baseExpr !== undefined && (selector === undefined || selector.kind === 'vector'),
      'promql: arguments of info',
    );
    const base = await this.vector(baseExpr, grid);
    return {
      type: 'vector',
      series: await evaluateInfo({ baseExpr, base, selector }, grid, this.#context, this.#reader),
    };
  }

  async #windowCall({ expr, matrixArg }: WindowArgument, grid: StepGrid): Promise<Columns> {
    const windowFunction = windowFunctionOf(expr);
    const call = await this.windows(expr, matrixArg, grid, {});
    const { range } = call;
    const loss = new NameLoss(matrixArg.kind === 'matrix' ? matrixArg.selector : undefined);
    const visit: RangeVector['visit'] = (visitor) =>
      range.visit((labels, samples, dropName) => {
        if (loss.haveOneName) loss.add(labels);
        return visitor(labels, samples, dropName);
      });
    const series = await evaluateWindows(windowFunction, { ...call, range: { ...range, visit } }, this.#context);
    if (expr.func.name === 'absent_over_time') return absentWindows(series, expr.args[0]!, grid);
    // Series of one metric differ in other labels than the name.
    const areDistinct = loss.haveOneName && !loss.mayCollide;
    return { type: 'vector', series: areDistinct ? series : this.#mergeRenamed(series) };
  }

  async windows(expr: CallExpr, matrixArg: Expr, grid: StepGrid, hints: SelectorHints): Promise<WindowCall> {
    const { name } = expr.func;
    const params: Float64Array[] = [];
    for (const arg of expr.args) if (arg !== matrixArg) params.push(await this.scalar(arg, grid));
    if (matrixArg.kind === 'matrix') checkExtension(matrixArg.selector.extension, name);
    const found = await this.#rangeVector(matrixArg, grid, { ...hints, func: name });
    const { counts } = this.#context;
    const range = counts === undefined ? found : countedWindows(found, counts, matrixArg.kind === 'matrix');
    // Prometheus puts what it found in place of a subquery, and has no position for it any more.
    const nowhere = (arg: Expr): Expr => (arg.kind === 'subquery' ? { ...arg, start: 0, end: 0 } : arg);
    return { expr: { ...expr, args: expr.args.map(nowhere) }, matrixArg, params, range, grid };
  }

  async #rangeVector(expr: Expr, grid: StepGrid, hints: SelectorHints): Promise<RangeVector> {
    const inner = withoutParens(expr);
    if (inner.kind === 'matrix') return this.#matrixSelector(inner, grid, hints);
    assert(inner.kind === 'subquery', 'promql: expected a range vector');
    return this.#subquery(inner, grid, false);
  }

  #matrixSelector(expr: MatrixSelector, grid: StepGrid, hints: SelectorHints): RangeVector {
    return selectRange(expr, grid, this.#context, this.#reader, hints);
  }

  /**
   * Evaluates the inner expression once, on a grid that covers the windows of all steps (absolutely aligned).
   * @param isWhole whether it is the query, and not the argument of a function
   */
  async #subquery(expr: SubqueryExpr, grid: StepGrid, isWhole: boolean): Promise<RangeVector> {
    const context = this.#context;
    const { counts } = context;
    const times = lookupTimes(grid, expr.at as number | undefined, expr.offset as number);
    const rangeMs = expr.range as number;
    const stepMs = (expr.step as number | undefined) ?? this.#subqueryStepMs;
    const openStartMs = times.firstMs - rangeMs;
    let startMs = stepMs * Math.trunc(openStartMs / stepMs);
    if (startMs <= openStartMs) startMs += stepMs;
    const count = startMs > times.lastMs ? 0 : Math.floor((times.lastMs - startMs) / stepMs) + 1;
    context.requireRoom(count);
    context.requireBytes(stepsBytes(count) + SAMPLE_BYTES * count);
    const inner = { startMs, stepMs, count, isRange: times.lastMs > startMs };
    let series: readonly ColumnSeries[] = [];
    if (count > 0 && counts === undefined) series = await this.vector(expr.expr, inner);
    else if (count > 0) {
      const [found, own] = await this.#counting(inner, () => this.vector(expr.expr, inner));
      series = found;
      if (isWhole) counts!.addSubquery(own);
      else counts!.addReadOf(own, expr.offset as number, rangeMs);
    }
    return subqueryWindows(series, inner, times, rangeMs, context);
  }
}
