import { childrenOf, type Expr, type SubqueryExpr, valueTypeOf } from '../parse/ast.ts';

/** Where the selectors of an expression look, relative to the step or (`at`) fixed; ms. */
export interface SelectorReference {
  readonly at: number | undefined;
  readonly offsetMs: number;
}

/**
 * The reference that all selectors of the first argument of `info` share (Prometheus `infoSelectTimestampAndOffset`), so
 * that info series are looked up at the same time. Durations of the expression are resolved.
 * @returns undefined when they differ, or when part of the expression has no selector: the step's own time is meant then
 */
export function sharedReference(expr: Expr): SelectorReference | undefined {
  const inspection: Inspection = { first: undefined, isUniform: true };
  inspect(expr, [], inspection);
  return inspection.isUniform ? inspection.first : undefined;
}

interface Inspection {
  first: SelectorReference | undefined;
  isUniform: boolean;
}

/** @returns whether there is a selector in the expression */
function inspect(expr: Expr, subqueries: readonly SubqueryExpr[], inspection: Inspection): boolean {
  const type = valueTypeOf(expr);
  if (type !== 'vector' && type !== 'matrix') return false;
  if (expr.kind === 'vector') {
    const reference = referenceOf(expr.at as number | undefined, expr.offset as number, subqueries);
    if (inspection.first === undefined) inspection.first = reference;
    else if (!isSame(inspection.first, reference)) inspection.isUniform = false;
    return true;
  }
  const outer = expr.kind === 'subquery' ? [...subqueries, expr] : subqueries;
  // The second argument of `info` is not evaluated.
  const children = expr.kind === 'call' && expr.func.name === 'info' ? expr.args.slice(0, 1) : childrenOf(expr);
  let hasSelector = false;
  for (const child of children) if (inspect(child, outer, inspection)) hasSelector = true;
  if (!hasSelector) inspection.isUniform = false;
  return hasSelector;
}

/** The offsets of enclosing subqueries add up until a time is fixed. */
function referenceOf(at: number | undefined, offsetMs: number, subqueries: readonly SubqueryExpr[]): SelectorReference {
  let reference: SelectorReference = { at, offsetMs };
  for (const subquery of subqueries.toReversed()) {
    if (reference.at !== undefined) break;
    const outerOffsetMs = subquery.offset as number;
    reference = { at: subquery.at as number | undefined, offsetMs: reference.offsetMs + outerOffsetMs };
  }
  return reference;
}

function isSame(a: SelectorReference, b: SelectorReference): boolean {
  if (a.at === undefined || b.at === undefined) return a.at === b.at && a.offsetMs === b.offsetMs;
  return a.at - a.offsetMs === b.at - b.offsetMs;
}
