import { type Expr, exprToString } from '../../../lib/promql/index.ts';

/** Functions whose result depends on the evaluation time even with fixed arguments: no variants for them. */
const TIME_DEPENDENT: ReadonlySet<string> = new Set(
  (
    'days_in_month day_of_month day_of_week day_of_year end hour minute month predict_linear range start step time ' +
    'timestamp year'
  ).split(' '),
);

/**
 * The query with every selector pinned to `evalMs` by `@`, and times at which it must have the same value.
 * (Prometheus's `promqltest` does the same with each instant evaluation.)
 */
export function atVariants(expr: Expr, evalMs: number): { query: string; timesMs: readonly number[] } | undefined {
  if (containsTimeDependent(expr)) return undefined;
  const query = exprToString(pinned(expr, evalMs));
  if (evalMs === 0) return { query, timesMs: [-1000, 0, 1000] };
  return { query, timesMs: [-10 * evalMs, 0, Math.trunc(evalMs / 5), evalMs, 10 * evalMs] };
}

function pinned(expr: Expr, evalMs: number): Expr {
  const at = (existing: unknown): number => (typeof existing === 'number' ? existing : evalMs);
  switch (expr.kind) {
    case 'number':
    case 'string':
      return expr;
    case 'vector':
      return { ...expr, at: at(expr.at) };
    case 'matrix':
      return { ...expr, selector: { ...expr.selector, at: at(expr.selector.at) } };
    // What is inside a pinned subquery is evaluated at the subquery's own times.
    case 'subquery':
      return { ...expr, at: at(expr.at) };
    case 'call':
      return { ...expr, args: expr.args.map((arg) => pinned(arg, evalMs)) };
    case 'aggregate':
      return { ...expr, expr: pinned(expr.expr, evalMs), param: expr.param && pinned(expr.param, evalMs) };
    case 'binary':
      return { ...expr, left: pinned(expr.left, evalMs), right: pinned(expr.right, evalMs) };
    case 'unary':
    case 'paren':
      return { ...expr, expr: pinned(expr.expr, evalMs) };
  }
}

function containsTimeDependent(expr: Expr): boolean {
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'vector':
    case 'matrix':
      return false;
    case 'call':
      return TIME_DEPENDENT.has(expr.func.name) || expr.args.some(containsTimeDependent);
    case 'aggregate':
      return containsTimeDependent(expr.expr) || (expr.param !== undefined && containsTimeDependent(expr.param));
    case 'binary':
      return containsTimeDependent(expr.left) || containsTimeDependent(expr.right);
    case 'subquery':
    case 'unary':
    case 'paren':
      return containsTimeDependent(expr.expr);
  }
}
