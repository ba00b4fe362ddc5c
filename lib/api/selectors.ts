import type { Matcher } from '../model/index.ts';
import { childrenOf, type Expr } from '../promql/index.ts';

/** The matchers of every selector in an expression, in the order they are written. */
export function selectorsOf(expr: Expr): (readonly Matcher[])[] {
  if (expr.kind === 'vector') return [expr.matchers];
  return childrenOf(expr).flatMap(selectorsOf);
}
