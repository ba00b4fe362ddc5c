import { WINDOW_FUNCTIONS } from '../functions/windows.ts';
import {
  type AggregateExpr,
  type AggregateOperator,
  type CallExpr,
  childrenOf,
  type Expr,
  valueTypeOf,
  type VectorSelector,
  withoutParens,
} from '../parse/ast.ts';

/** Their value follows from those of parts of the input: see `README.md`. */
const DISTRIBUTING: ReadonlySet<AggregateOperator> = new Set([
  'sum',
  'avg',
  'count',
  'group',
  'min',
  'max',
  'topk',
  'bottomk',
]);
/** Take a vector first, and look at one series at a time. */
const OF_SINGLE_SERIES = new Set(
  (
    'abs acos acosh asin asinh atan atanh ceil clamp clamp_max clamp_min cos cosh day_of_month day_of_week day_of_year ' +
    'days_in_month deg exp floor histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum hour ln ' +
    'log10 log2 minute month rad round sgn sin sinh sqrt tan tanh timestamp year'
  ).split(' '),
);

/** An aggregation of what is computed of each series of one selector, apart from all others. */
export interface Distribution {
  readonly expr: AggregateExpr;
  readonly selector: VectorSelector;
  /** The series it aggregates have no names, so that those of the selector may become equal. */
  readonly losesNames: boolean;
}

export interface DistributionOptions {
  /** Names go when the query is complete. */
  readonly delayedNameRemoval: boolean;
}

/**
 * The aggregations of a query that can be computed from any parts of their series, in the order of the text. The same query
 * has the same list wherever it is parsed, so that an index says which is meant.
 */
export function distributionsOf(root: Expr, options: DistributionOptions): readonly Distribution[] {
  const found: Distribution[] = [];
  const visit = (expr: Expr): void => {
    if (expr.kind === 'aggregate') {
      const single = distributed(expr, options);
      if (single !== undefined) found.push({ expr, ...single });
    }
    for (const child of childrenOf(expr)) visit(child);
  };
  visit(root);
  return found;
}

function distributed(expr: AggregateExpr, { delayedNameRemoval }: DistributionOptions): SingleSeries | undefined {
  const { op, param, grouping, without } = expr;
  if (!DISTRIBUTING.has(op) || (param !== undefined && !isConstant(param))) return undefined;
  // The best of a group would need all series of the group, with their labels, from each part.
  if ((op === 'topk' || op === 'bottomk') && (without || grouping.length > 0)) return undefined;
  const found = ofSingleSeries(expr.expr);
  return found && { ...found, losesNames: found.losesNames && !delayedNameRemoval };
}

interface SingleSeries {
  readonly selector: VectorSelector;
  readonly losesNames: boolean;
}

/** The selector of an expression each of whose series comes from one series of it; undefined for any other. */
function ofSingleSeries(expr: Expr): SingleSeries | undefined {
  switch (expr.kind) {
    case 'vector':
      return { selector: expr, losesNames: false };
    case 'matrix':
      return { selector: expr.selector, losesNames: false };
    case 'subquery':
    case 'paren':
      return ofSingleSeries(expr.expr);
    case 'unary':
      return nameless(ofSingleSeries(expr.expr));
    case 'binary': {
      const { left, right, matching } = expr;
      if (matching !== undefined) return undefined;
      if (isConstant(left)) return nameless(ofSingleSeries(right));
      return isConstant(right) ? nameless(ofSingleSeries(left)) : undefined;
    }
    case 'call':
      return ofCall(expr);
    case 'aggregate':
    case 'number':
    case 'string':
      return undefined;
  }
}

function ofCall({ func: { name }, args }: CallExpr): SingleSeries | undefined {
  const series = args.filter((arg) => !isConstant(arg));
  if (series.length !== 1) return undefined;
  const argument = series[0]!;
  if (valueTypeOf(argument) === 'matrix') {
    const windowFunction = WINDOW_FUNCTIONS.get(name);
    if (windowFunction === undefined || name === 'absent_over_time') return undefined;
    const found = ofSingleSeries(argument);
    return windowFunction.keepsName === true ? found : nameless(found);
  }
  return OF_SINGLE_SERIES.has(name) ? nameless(ofSingleSeries(argument)) : undefined;
}

function nameless(found: SingleSeries | undefined): SingleSeries | undefined {
  return found && { ...found, losesNames: true };
}

/** Reads no series. */
function isConstant(expr: Expr): boolean {
  const inner = withoutParens(expr);
  if (inner.kind === 'vector' || inner.kind === 'matrix') return false;
  return childrenOf(inner).every(isConstant);
}
