import { PromletError } from '../../model/index.ts';
import { type WindowArgument, windowArgument, windowFunctionOf } from '../functions/window-argument.ts';
import { visitWindows } from '../functions/window-driver.ts';
import { type Expr, type VectorSelector, withoutParens } from '../parse/ast.ts';
import { ColumnMatching } from './column-matching.ts';
import type { ColumnSeries, ColumnVisitor, StepGrid } from './columns.ts';
import type { QueryContext } from './context.ts';
import { visitInstant } from './instant-selector.ts';
import { isSwapped, type VectorOperator } from './match-groups.ts';
import { NameLoss } from './name-loss.ts';
import type { OperandEvaluator } from './operand-evaluator.ts';
import type { RangeVector } from './range-selector.ts';
import type { SelectorHints, SelectorReader } from './select.ts';
import { isStepInvariant } from './step-invariance.ts';

interface StreamedMatching {
  readonly kind: 'matching';
  readonly operator: VectorOperator;
  readonly many: Expr;
  readonly one: Expr;
}

/** Expressions whose series come one by one. */
type Streamed = VectorSelector | (WindowArgument & { readonly kind: 'windows' }) | StreamedMatching;

/** Evaluates vectors series by series, none of them held. */
export class SeriesVisits {
  readonly #operands: OperandEvaluator;
  readonly #context: QueryContext;
  readonly #reader: SelectorReader;

  constructor(operands: OperandEvaluator, context: QueryContext, reader: SelectorReader) {
    this.#operands = operands;
    this.#context = context;
    this.#reader = reader;
  }

  /**
   * The series of a vector one by one, with the labels of the hints' projection, or more.
   * @returns false when the expression has to be evaluated as a whole; some series may have been visited
   */
  async visit(vector: Expr, grid: StepGrid, hints: SelectorHints, visitor: ColumnVisitor): Promise<boolean> {
    const streamed = this.#streamed(vector, grid);
    if (streamed === undefined) return false;
    switch (streamed.kind) {
      case 'vector':
        await visitInstant(streamed, grid, this.#context, this.#reader, hints, visitor);
        return true;
      case 'windows':
        return this.#visitWindows(streamed, grid, hints, visitor);
      case 'matching':
        return this.#visitMatching(streamed, grid, hints, visitor);
    }
  }

  /** What can be evaluated so. */
  #streamed(vector: Expr, grid: StepGrid): Streamed | undefined {
    const expr = withoutParens(vector);
    if (grid.count > 1 && isStepInvariant(expr)) return undefined;
    if (expr.kind === 'vector') return expr.extension === 'smoothed' ? undefined : expr;
    if (expr.kind === 'call') {
      const windows = windowArgument(expr);
      return windows === undefined || expr.func.name === 'absent_over_time'
        ? undefined
        : { kind: 'windows', ...windows };
    }
    if (expr.kind !== 'binary' || expr.matching === undefined) return undefined;
    const operator = { ...expr, matching: expr.matching };
    const [many, one] = isSwapped(operator) ? [expr.right, expr.left] : [expr.left, expr.right];
    const isStreamed = ColumnMatching.takes(operator) && this.#streamed(many, grid) !== undefined;
    return isStreamed ? { kind: 'matching', operator, many, one } : undefined;
  }

  async #visitWindows(
    { expr, matrixArg }: WindowArgument,
    grid: StepGrid,
    hints: SelectorHints,
    visitor: ColumnVisitor,
  ): Promise<boolean> {
    const context = this.#context;
    const windowFunction = windowFunctionOf(expr);
    if (windowFunction.keepsName === true || context.delayedNameRemoval) {
      const call = await this.#operands.windows(expr, matrixArg, grid, hints);
      await visitWindows(windowFunction, call, context, visitor);
      return true;
    }
    const known = this.#reader.source?.names;
    const selector = matrixArg.kind === 'matrix' ? matrixArg.selector : undefined;
    const loss = known ?? new NameLoss(selector);
    const call = await this.#operands.windows(expr, matrixArg, grid, { ...hints, names: loss });
    const { range } = call;
    const watched: RangeVector = {
      ...range,
      visit: (visit) =>
        range.visit((labels, samples, dropName) => {
          if (known === undefined && selector === undefined) loss.add(labels);
          return loss.mayCollide ? undefined : visit(labels, samples, dropName);
        }),
    };
    await visitWindows(windowFunction, { ...call, range: watched }, context, visitor);
    return !loss.mayCollide;
  }

  /** The "one" side is held, the "many" side passes by. */
  async #visitMatching(
    { operator, many, one }: StreamedMatching,
    grid: StepGrid,
    hints: SelectorHints,
    visitor: ColumnVisitor,
  ): Promise<boolean> {
    let held: readonly ColumnSeries[];
    try {
      held = await this.#operands.vector(one, grid);
    } catch (error) {
      // What is wrong with the left side is said first.
      if (!isSwapped(operator) && error instanceof PromletError && error.code === 'promql/execution') return false;
      throw error;
    }
    const selector = selectorOf(many);
    const projection = selector && matchedProjection(operator, hints);
    const isProjected = projection !== undefined;
    const manyHints: SelectorHints = isProjected ? { projection, names: new NameLoss(selector) } : {};
    const matching = new ColumnMatching(operator, held, grid, this.#context, { isProjected });
    if (matching.isRefused) return false;
    const isWhole = await this.visit(many, grid, manyHints, (series) => {
      const result = matching.add(series);
      return result && visitor(result);
    });
    return isWhole && !matching.isRefused && manyHints.names?.mayCollide !== true;
  }
}

/** The selector whose series an expression's series come from, one from one; undefined where there may be another. */
function selectorOf(expr: Expr): VectorSelector | undefined {
  const inner = withoutParens(expr);
  if (inner.kind === 'vector') return inner;
  const matrixArg = inner.kind === 'call' ? windowArgument(inner)?.matrixArg : undefined;
  return matrixArg?.kind === 'matrix' ? matrixArg.selector : undefined;
}

/** The labels of the "many" side that matter where some of the results do; undefined where all may. */
function matchedProjection({ matching }: VectorOperator, { projection }: SelectorHints): readonly string[] | undefined {
  const { cardinality, on, labels, include } = matching;
  if (projection === undefined || !on || cardinality === 'one-to-one') return undefined;
  return [...new Set([...projection, ...labels, ...include])];
}
