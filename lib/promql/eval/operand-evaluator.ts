import type { WindowCall } from '../functions/window-driver.ts';
import type { CallExpr, Expr } from '../parse/ast.ts';
import type { ColumnSeries, StepGrid } from './columns.ts';
import type { SelectorHints } from './select.ts';

/** Evaluates what an operator is given. */
export interface OperandEvaluator {
  vector(expr: Expr, grid: StepGrid, hints?: SelectorHints): Promise<readonly ColumnSeries[]>;
  scalar(expr: Expr, grid: StepGrid): Promise<Float64Array>;
  /** The value of a string literal. */
  string(expr: Expr): string;
  /** @param matrixArg the range vector among the arguments of a window function */
  windows(expr: CallExpr, matrixArg: Expr, grid: StepGrid, hints: SelectorHints): Promise<WindowCall>;
}
