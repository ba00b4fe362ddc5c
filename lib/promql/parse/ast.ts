import type { Matcher } from '../../model/index.ts';
import type { FunctionSignature, ValueType } from './signatures.ts';

export type { ValueType } from './signatures.ts';

/** Half-open range of UTF-16 offsets into the query text. */
export interface SourceRange {
  readonly start: number;
  readonly end: number;
}

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2';
export type ComparisonOperator = '==' | '!=' | '<' | '<=' | '>' | '>=';
export type SetOperator = 'and' | 'or' | 'unless';
/** Native histograms only: keep the buckets below or above a bound. */
export type TrimOperator = '</' | '>/';
export type BinaryOperator = ArithmeticOperator | ComparisonOperator | SetOperator | TrimOperator;

export type AggregateOperator =
  | 'sum'
  | 'avg'
  | 'count'
  | 'min'
  | 'max'
  | 'group'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'count_values'
  | 'quantile'
  | 'limitk'
  | 'limit_ratio';

/** `@ 12.5` (ms), or `@ start()` / `@ end()`, known when the query runs. */
export type AtModifier = number | 'start' | 'end';

/** A duration literal in milliseconds, whose fractions count for nothing but for being there; or an experimental duration expression (`5m * 2`, `step()`). */
export type Duration = number | DurationExpr;

/** Operands are seconds; evaluated when the query's step and range are known. */
export interface DurationExpr extends SourceRange {
  readonly kind: 'duration';
  readonly op: '+' | '-' | '*' | '/' | '%' | '^' | 'step' | 'range' | 'min_of' | 'max_of';
  readonly left: DurationExpr | NumberLiteral | undefined;
  readonly right: DurationExpr | NumberLiteral | undefined;
  /** Was written in parentheses; kept for printing. */
  readonly wrapped: boolean;
}

export interface NumberLiteral extends SourceRange {
  readonly kind: 'number';
  readonly value: number;
  /** Written as a duration (`5m`); `value` is in seconds. */
  readonly duration: boolean;
}

export interface StringLiteral extends SourceRange {
  readonly kind: 'string';
  readonly value: string;
}

export interface VectorSelector extends SourceRange {
  readonly kind: 'vector';
  /** The name in front of the braces, '' when there is none. */
  readonly name: string;
  /** All matchers; when `name` is set its matcher is the last. */
  readonly matchers: readonly Matcher[];
  readonly offset: Duration;
  readonly at: AtModifier | undefined;
  /** Experimental range modifiers. */
  readonly extension: 'anchored' | 'smoothed' | undefined;
}

export interface MatrixSelector extends SourceRange {
  readonly kind: 'matrix';
  readonly selector: VectorSelector;
  readonly range: Duration;
}

export interface SubqueryExpr extends SourceRange {
  readonly kind: 'subquery';
  readonly expr: Expr;
  readonly range: Duration;
  /** undefined: the engine's default resolution. */
  readonly step: Duration | undefined;
  readonly offset: Duration;
  readonly at: AtModifier | undefined;
}

export interface CallExpr extends SourceRange {
  readonly kind: 'call';
  readonly func: FunctionSignature;
  readonly args: readonly Expr[];
}

export interface AggregateExpr extends SourceRange {
  readonly kind: 'aggregate';
  readonly op: AggregateOperator;
  readonly expr: Expr;
  readonly param: Expr | undefined;
  readonly grouping: readonly string[];
  readonly without: boolean;
}

export interface VectorMatching {
  readonly cardinality: 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many';
  /** Labels of `on` or `ignoring`. */
  readonly labels: readonly string[];
  readonly on: boolean;
  /** Labels of `group_left` or `group_right`. */
  readonly include: readonly string[];
  /** Values of `fill`, `fill_left`, `fill_right` for series without a partner. */
  readonly fillLeft: number | undefined;
  readonly fillRight: number | undefined;
}

export interface BinaryExpr extends SourceRange {
  readonly kind: 'binary';
  readonly op: BinaryOperator;
  readonly left: Expr;
  readonly right: Expr;
  readonly returnBool: boolean;
  /** undefined unless both sides are instant vectors. */
  readonly matching: VectorMatching | undefined;
}

export interface UnaryExpr extends SourceRange {
  readonly kind: 'unary';
  readonly op: '+' | '-';
  readonly expr: Expr;
}

export interface ParenExpr extends SourceRange {
  readonly kind: 'paren';
  readonly expr: Expr;
}

export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | SubqueryExpr
  | CallExpr
  | AggregateExpr
  | BinaryExpr
  | UnaryExpr
  | ParenExpr;

export function valueTypeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'vector':
    case 'aggregate':
      return 'vector';
    case 'matrix':
    case 'subquery':
      return 'matrix';
    case 'call':
      return expr.func.returns;
    case 'paren':
    case 'unary':
      return valueTypeOf(expr.expr);
    case 'binary':
      return valueTypeOf(expr.left) === 'scalar' && valueTypeOf(expr.right) === 'scalar' ? 'scalar' : 'vector';
  }
}

export function isComparison(op: BinaryOperator): op is ComparisonOperator {
  return op === '==' || op === '!=' || op === '<' || op === '<=' || op === '>' || op === '>=';
}

export function isSetOperator(op: BinaryOperator): op is SetOperator {
  return op === 'and' || op === 'or' || op === 'unless';
}

export function takesParameter(op: AggregateOperator): boolean {
  return (
    op === 'topk' ||
    op === 'bottomk' ||
    op === 'count_values' ||
    op === 'quantile' ||
    op === 'limitk' ||
    op === 'limit_ratio'
  );
}

/** The direct subexpressions, in the order they are written. */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'vector':
      return [];
    case 'matrix':
      return [expr.selector];
    case 'subquery':
    case 'unary':
    case 'paren':
      return [expr.expr];
    case 'call':
      return expr.args;
    case 'aggregate':
      return expr.param === undefined ? [expr.expr] : [expr.param, expr.expr];
    case 'binary':
      return [expr.left, expr.right];
  }
}

export function withoutParens(expr: Expr): Expr {
  let inner = expr;
  while (inner.kind === 'paren') inner = inner.expr;
  return inner;
}
