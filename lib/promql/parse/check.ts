import { METRIC_NAME, quote } from '../../model/index.ts';
import {
  type AggregateExpr,
  type BinaryExpr,
  type CallExpr,
  type Expr,
  isComparison,
  isSetOperator,
  type SourceRange,
  type ValueType,
  valueTypeOf,
  type VectorMatching,
  type VectorSelector,
} from './ast.ts';
import { ParseError } from './parse-error.ts';

const DOCUMENTED_TYPES: Readonly<Record<ValueType, string>> = {
  vector: 'instant vector',
  matrix: 'range vector',
  scalar: 'scalar',
  string: 'string',
};

/**
 * Checks types and modifiers (Prometheus `checkAST`) and settles the cardinality of binary operations.
 * @throws ParseError for the first fault, in Prometheus's words
 */
export function checkExpr(query: string, expr: Expr): Expr {
  return new Checker(query).check(expr);
}

class Checker {
  readonly #query: string;

  constructor(query: string) {
    this.#query = query;
  }

  #fail(at: SourceRange, reason: string): never {
    throw new ParseError(this.#query, at, reason);
  }

  check(expr: Expr): Expr {
    switch (expr.kind) {
      case 'number':
      case 'string':
        return expr;
      case 'vector':
        this.#selector(expr, false);
        return expr;
      case 'matrix':
        this.#selector(expr.selector, false);
        return expr;
      case 'paren':
        return { ...expr, expr: this.check(expr.expr) };
      case 'subquery': {
        const inner = this.check(expr.expr);
        const type = valueTypeOf(inner);
        if (type !== 'vector') this.#fail(expr, `subquery is only allowed on instant vector, got ${type} instead`);
        return { ...expr, expr: inner };
      }
      case 'unary': {
        const inner = this.check(expr.expr);
        const type = valueTypeOf(inner);
        if (type !== 'scalar' && type !== 'vector') {
          const wanted = 'expressions of type scalar or instant vector';
          this.#fail(expr, `unary expression only allowed on ${wanted}, got ${quote(DOCUMENTED_TYPES[type])}`);
        }
        return { ...expr, expr: inner };
      }
      case 'call':
        return this.#call(expr);
      case 'aggregate':
        return this.#aggregate(expr);
      case 'binary':
        return this.#binary(expr);
    }
  }

  #expectType(expr: Expr, wanted: ValueType, context: string): void {
    const type = valueTypeOf(expr);
    if (type === wanted) return;
    this.#fail(expr, `expected type ${DOCUMENTED_TYPES[wanted]} in ${context}, got ${DOCUMENTED_TYPES[type]}`);
  }

  #aggregate(expr: AggregateExpr): AggregateExpr {
    const inner = this.check(expr.expr);
    this.#expectType(inner, 'vector', 'aggregation expression');
    if (expr.param === undefined) return { ...expr, expr: inner };
    const param = this.check(expr.param);
    this.#expectType(param, expr.op === 'count_values' ? 'string' : 'scalar', 'aggregation parameter');
    return { ...expr, expr: inner, param };
  }

  #call(expr: CallExpr): CallExpr {
    const { func, args } = expr;
    const wanted = func.args.length;
    if (func.variadic === 0) {
      if (args.length !== wanted) {
        this.#fail(expr, `expected ${wanted} argument(s) in call to ${quote(func.name)}, got ${args.length}`);
      }
    } else if (args.length < wanted - 1) {
      const least = wanted - 1;
      this.#fail(expr, `expected at least ${least} argument(s) in call to ${quote(func.name)}, got ${args.length}`);
    } else if (func.variadic > 0 && args.length > wanted - 1 + func.variadic) {
      const most = wanted - 1 + func.variadic;
      this.#fail(expr, `expected at most ${most} argument(s) in call to ${quote(func.name)}, got ${args.length}`);
    }
    if (func.name === 'info' && args.length > 1) this.#infoSelector(expr, args[1]!);
    const checked = args.map((arg, i) => {
      const isInfoSelector = func.name === 'info' && i === 1;
      const result = isInfoSelector ? arg : this.check(arg);
      const type = func.args[Math.min(i, wanted - 1)]!;
      this.#expectType(result, type, `call to function ${quote(func.name)}`);
      return result;
    });
    return { ...expr, args: checked };
  }

  /** The second argument of `info` selects labels, not series: it needs no name and may match everything. */
  #infoSelector(call: CallExpr, selector: Expr): void {
    const type = valueTypeOf(selector);
    if (type !== 'vector') {
      this.#fail(call, `expected type instant vector in call to function "info", got ${DOCUMENTED_TYPES[type]}`);
    }
    if (selector.kind !== 'vector') this.#fail(selector, 'expected label selectors only');
    if (selector.name !== '') this.#fail(selector, 'expected label selectors only, got vector selector instead');
    this.#selector(selector, true);
  }

  #selector(selector: VectorSelector, mayMatchEmpty: boolean): void {
    if (selector.name !== '') {
      for (const matcher of selector.matchers.slice(0, -1)) {
        if (matcher.name !== METRIC_NAME) continue;
        const reason = `metric name must not be set twice: ${quote(selector.name)} or ${quote(matcher.value)}`;
        this.#fail(selector, reason);
      }
      return;
    }
    if (mayMatchEmpty || selector.matchers.some((matcher) => !matcher.matchesEmpty)) return;
    this.#fail(selector, 'vector selector must contain at least one non-empty matcher');
  }

  #binary(expr: BinaryExpr): BinaryExpr {
    const left = this.check(expr.left);
    const right = this.check(expr.right);
    const leftType = valueTypeOf(left);
    const rightType = valueTypeOf(right);
    const { op, returnBool } = expr;
    const matching = expr.matching!;
    if (returnBool && !isComparison(op)) {
      this.#fail(this.#operatorRange(expr), 'bool modifier can only be used on comparison operators');
    }
    if (isComparison(op) && !returnBool && leftType === 'scalar' && rightType === 'scalar') {
      this.#fail(this.#operatorRange(expr), 'comparisons between scalars must use BOOL modifier');
    }
    if (matching.on) {
      const both = matching.labels.find((label) => matching.include.includes(label));
      if (both !== undefined) {
        const reason = `label ${quote(both)} must not occur in ON and GROUP clause at once`;
        this.#fail(this.#operatorRange(expr), reason);
      }
    }
    const reason = 'binary expression must contain only scalar and instant vector types';
    if (leftType !== 'scalar' && leftType !== 'vector') this.#fail(left, reason);
    if (rightType !== 'scalar' && rightType !== 'vector') this.#fail(right, reason);
    const isVectorOperation = leftType === 'vector' && rightType === 'vector';
    if (isVectorOperation) {
      return { ...expr, left, right, matching: isSetOperator(op) ? this.#setMatching(expr, matching) : matching };
    }
    this.#withoutMatching(expr, matching);
    return { ...expr, left, right, matching: undefined };
  }

  #setMatching(expr: BinaryExpr, matching: VectorMatching): VectorMatching {
    if (matching.cardinality !== 'one-to-one') this.#fail(expr, `no grouping allowed for ${quote(expr.op)} operation`);
    if (matching.fillLeft !== undefined || matching.fillRight !== undefined) {
      this.#fail(expr, 'filling in missing series not allowed for set operators');
    }
    return { ...matching, cardinality: 'many-to-many' };
  }

  #withoutMatching(expr: BinaryExpr, matching: VectorMatching): void {
    if (matching.labels.length > 0) this.#fail(expr, 'vector matching only allowed between instant vectors');
    if (matching.fillLeft !== undefined || matching.fillRight !== undefined) {
      this.#fail(expr, 'filling in missing series only allowed between instant vectors');
    }
    if (isSetOperator(expr.op)) {
      this.#fail(expr, `set operator ${quote(expr.op)} not allowed in binary scalar expression`);
    }
  }

  #operatorRange(expr: BinaryExpr): SourceRange {
    let start = expr.left.end;
    let end = expr.right.start;
    while (' \t\r\n'.includes(this.#query[start]!)) start++;
    while (' \t\r\n'.includes(this.#query[end - 1]!)) end--;
    return { start, end };
  }
}
