import { executionError } from '../eval/context.ts';
import { type CallExpr, type Expr, valueTypeOf, withoutParens } from '../parse/ast.ts';
import type { WindowFunction } from './window-driver.ts';
import { WINDOW_FUNCTIONS } from './windows.ts';

/** A call of a window function, its arguments without parentheses, and the range vector among them. */
export interface WindowArgument {
  readonly expr: CallExpr;
  readonly matrixArg: Expr;
}

export function windowArgument(call: CallExpr): WindowArgument | undefined {
  const args = call.args.map(withoutParens);
  const matrixArg = args.find((arg) => valueTypeOf(arg) === 'matrix');
  return matrixArg === undefined ? undefined : { expr: { ...call, args }, matrixArg };
}

/** @throws PromletError `promql/execution` */
export function windowFunctionOf({ func: { name } }: CallExpr): WindowFunction {
  const windowFunction = WINDOW_FUNCTIONS.get(name);
  if (windowFunction === undefined) throw executionError(`function ${name} is not supported`);
  return windowFunction;
}
