import type { AtModifier, Duration, Expr } from './ast.ts';

/** An expression with a modifier behind it, which ends at `end`, or why it cannot have that one. */
type Modified = Expr | { readonly fault: string };

const SELECTORS = 'an instant vector selector or range vector selector or a subquery';

/** `expr offset 5m` (Prometheus `addOffset`) */
export function withOffset(expr: Expr, offset: Duration, end: number): Modified {
  const target = expr.kind === 'matrix' ? expr.selector : expr;
  if (target.kind !== 'vector' && target.kind !== 'subquery') {
    return { fault: `offset modifier must be preceded by ${SELECTORS}` };
  }
  if (target.offset !== 0) return { fault: 'offset may not be set multiple times' };
  if (expr.kind === 'matrix') return { ...expr, selector: { ...expr.selector, offset }, end };
  return { ...target, offset, end };
}

/** `expr @ 12.5` (Prometheus `setTimestamp`) */
export function withAt(expr: Expr, at: AtModifier, end: number): Modified {
  const target = expr.kind === 'matrix' ? expr.selector : expr;
  if (target.kind !== 'vector' && target.kind !== 'subquery') {
    return { fault: `@ modifier must be preceded by ${SELECTORS}` };
  }
  if (target.at !== undefined) return { fault: '@ <timestamp> may not be set multiple times' };
  if (expr.kind === 'matrix') return { ...expr, selector: { ...expr.selector, at }, end };
  return { ...target, at, end };
}

/** `expr anchored` (Prometheus `setAnchored`, `setSmoothed`). Errors do not count the word as part of the expression. */
export function withExtension(expr: Expr, extension: 'anchored' | 'smoothed'): Modified {
  if (expr.kind === 'subquery') return { fault: `${extension} modifier is not supported for subqueries` };
  if (expr.kind !== 'vector' && expr.kind !== 'matrix') return { fault: `${extension} modifier not implemented` };
  const selector = expr.kind === 'matrix' ? expr.selector : expr;
  if (selector.extension !== undefined && selector.extension !== extension) {
    return { fault: 'anchored and smoothed modifiers cannot be used together' };
  }
  if (expr.kind === 'matrix') return { ...expr, selector: { ...expr.selector, extension } };
  return { ...expr, extension };
}

/** `expr[5m]`, which begins at the bracket at `start` */
export function withRange(expr: Expr, range: Duration, end: number): Modified {
  if (expr.kind !== 'vector') return { fault: 'ranges only allowed for vector selectors' };
  if (expr.offset !== 0) return { fault: 'no offset modifiers allowed before range' };
  if (expr.at !== undefined) return { fault: 'no @ modifiers allowed before range' };
  return { kind: 'matrix', selector: expr, range, start: expr.start, end };
}
