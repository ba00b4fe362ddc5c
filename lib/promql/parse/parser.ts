import { formatFloat, Matcher, METRIC_NAME, quote } from '../../model/index.ts';
import type { PromqlFeatures } from '../features.ts';
import { MAX_NESTING_DEPTH, MAX_QUERY_BYTES } from '../limits.ts';
import {
  type AggregateExpr,
  type AggregateOperator,
  type AtModifier,
  type BinaryExpr,
  type BinaryOperator,
  childrenOf,
  type Duration,
  type Expr,
  type NumberLiteral,
  type SourceRange,
  takesParameter,
  type VectorSelector,
} from './ast.ts';
import { checkExpr } from './check.ts';
import { durationOf, parseDurationExpr, parseOffset } from './duration-parser.ts';
import { parseGroupingLabels, parseMatchers, unquoteToken } from './label-parser.ts';
import { parseMatching } from './matching-parser.ts';
import { withAt, withExtension, withOffset, withRange } from './modifiers.ts';
import { numberLiteral } from './number-literal.ts';
import { ParseError } from './parse-error.ts';
import { FUNCTION_SIGNATURES } from './signatures.ts';
import { TokenStream } from './token-stream.ts';
import { AGGREGATOR_WORDS, beginsExpression, isMetricName, type Token, type TokenType } from './tokens.ts';

/** Binding strength; `^` groups to the right, the others to the left. */
const PRECEDENCE: Readonly<Partial<Record<TokenType, number>>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
};
const POWER_PRECEDENCE = 6;
const CALLABLE_WORDS: ReadonlySet<TokenType> = new Set(['start', 'end', 'step', 'range', 'max_of', 'min_of']);

/**
 * Parses and type-checks a query (Prometheus `promql/parser`).
 * @throws ParseError (`promql/parse`), the message as Prometheus words its first error
 */
export function parseExpr(query: string, features: PromqlFeatures = {}): Expr {
  rejectLong(query);
  const parser = new Parser(query, features);
  const expr = parser.parse();
  rejectDeepNesting(query, expr);
  return checkExpr(query, expr);
}

/**
 * Parses a series selector as the API's `match[]` takes it: `up`, `{job="x"}`. One that selects everything is accepted.
 * @throws ParseError (`promql/parse`)
 */
export function parseSelector(text: string): readonly Matcher[] {
  rejectLong(text);
  return new Parser(text, {}).parseSelector().matchers;
}

function rejectLong(query: string): void {
  if (Buffer.byteLength(query) <= MAX_QUERY_BYTES) return;
  throw new ParseError(query, { start: 0, end: query.length }, `query is longer than ${MAX_QUERY_BYTES} bytes`);
}

/** Chains like `a + b + c` are deep trees although the parser does not recurse for them. */
function rejectDeepNesting(query: string, root: Expr): void {
  let level: Expr[] = [root];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_NESTING_DEPTH) throw tooDeep(query, level[0]!);
    level = level.flatMap(childrenOf);
  }
}

function tooDeep(query: string, at: SourceRange): ParseError {
  return new ParseError(query, at, `expression is nested deeper than ${MAX_NESTING_DEPTH} levels`);
}

class Parser {
  readonly #query: string;
  readonly #features: PromqlFeatures;
  readonly #tokens: TokenStream;
  readonly #hasDurationExpressions: boolean;
  #depth = 0;

  constructor(query: string, features: PromqlFeatures) {
    this.#query = query;
    this.#features = features;
    this.#tokens = new TokenStream(query);
    this.#hasDurationExpressions = features.durationExpressions !== false;
  }

  parse(): Expr {
    if (this.#tokens.is('EOF')) this.#fail({ start: 0, end: 0 }, 'no expression found in input');
    const expr = this.#binary(0);
    if (!this.#tokens.is('EOF')) this.#tokens.unexpected();
    return expr;
  }

  parseSelector(): VectorSelector {
    const token = this.#tokens.current;
    if (token.type !== '{' && !isMetricName(token.type)) this.#tokens.unexpected();
    if (token.type !== '{') this.#tokens.advance();
    const selector = this.#selector(token.type === '{' ? '' : token.text, token.start);
    if (!this.#tokens.is('EOF')) this.#tokens.unexpected();
    return selector;
  }

  #fail(at: SourceRange, reason: string): never {
    throw new ParseError(this.#query, at, reason);
  }

  #binary(minPrecedence: number): Expr {
    if (++this.#depth > MAX_NESTING_DEPTH) throw tooDeep(this.#query, this.#tokens.current);
    let left = this.#unary();
    for (;;) {
      const op = this.#tokens.current.type;
      const precedence = PRECEDENCE[op];
      if (precedence === undefined || precedence < minPrecedence) break;
      this.#tokens.advance();
      left = this.#binaryTail(left, op as BinaryOperator, precedence);
    }
    this.#depth--;
    return left;
  }

  #binaryTail(left: Expr, op: BinaryOperator, precedence: number): BinaryExpr {
    const returnBool = this.#tokens.accept('bool') !== undefined;
    const matching = parseMatching(this.#query, this.#tokens);
    const right = this.#binary(precedence === POWER_PRECEDENCE ? precedence : precedence + 1);
    const range = { start: left.start, end: right.end };
    const { fillLeft, fillRight } = matching;
    if (this.#features.fillModifiers !== true && (fillLeft !== undefined || fillRight !== undefined)) {
      this.#fail(range, 'binop fill modifiers are experimental and not enabled');
    }
    return { kind: 'binary', op, left, right, returnBool, matching, ...range };
  }

  #unary(): Expr {
    const sign = this.#tokens.accept('+', '-');
    if (sign === undefined) return this.#postfix(this.#primary());
    // Only `^` binds tighter than a sign.
    const expr = this.#binary(POWER_PRECEDENCE);
    if (expr.kind === 'number') {
      return { ...expr, value: sign.type === '-' ? -expr.value : expr.value, start: sign.start };
    }
    return { kind: 'unary', op: sign.type as '+' | '-', expr, start: sign.start, end: expr.end };
  }

  #primary(): Expr {
    const token = this.#tokens.current;
    if (token.type === 'NUMBER' || token.type === 'DURATION') return this.#number();
    if (token.type === 'STRING') {
      this.#tokens.advance();
      return { kind: 'string', value: unquoteToken(this.#query, token), start: token.start, end: token.end };
    }
    if (token.type === '(') return this.#parenthesised(token);
    if (token.type === '{') return this.#selector('', token.start);
    if (!isMetricName(token.type)) this.#tokens.unexpected();
    const following = this.#tokens.peek().type;
    if (AGGREGATOR_WORDS.has(token.type) && (following === '(' || following === 'by' || following === 'without')) {
      return this.#aggregate();
    }
    if (following === '(' && (token.type === 'IDENTIFIER' || CALLABLE_WORDS.has(token.type))) return this.#call();
    this.#tokens.advance();
    return this.#selector(token.text, token.start);
  }

  #parenthesised(paren: Token): Expr {
    this.#tokens.advance();
    const expr = this.#binary(0);
    const { end } = this.#tokens.expect(')');
    return { kind: 'paren', expr, start: paren.start, end };
  }

  #number(): NumberLiteral {
    const token = this.#tokens.current;
    if (token.type !== 'NUMBER' && token.type !== 'DURATION') this.#tokens.unexpected();
    this.#tokens.advance();
    return numberLiteral(this.#query, token);
  }

  #call(): Expr {
    const name = this.#tokens.advance();
    const args = this.#arguments();
    const func = FUNCTION_SIGNATURES.get(name.text);
    if (func === undefined) this.#fail(name, `unknown function with name ${quote(name.text)}`);
    if (func.experimental && this.#features.experimentalFunctions !== true) {
      this.#fail(name, `function ${quote(name.text)} is not enabled`);
    }
    return { kind: 'call', func, args, start: name.start, end: this.#tokens.previousEnd };
  }

  #arguments(): Expr[] {
    this.#tokens.expect('(');
    const args: Expr[] = [];
    if (this.#tokens.accept(')') !== undefined) return args;
    for (;;) {
      args.push(this.#binary(0));
      const comma = this.#tokens.accept(',');
      if (comma === undefined) break;
      if (!beginsExpression(this.#tokens.current.type)) {
        this.#fail(comma, 'trailing commas not allowed in function call args');
      }
    }
    this.#tokens.expect(')');
    return args;
  }

  #aggregate(): AggregateExpr {
    const name = this.#tokens.advance();
    const op = name.type as AggregateOperator;
    const { args, modifier } = this.#tokens.within({ context: 'aggregation', expected: '' }, () => {
      const before = this.#groupingModifier();
      return { args: this.#arguments(), modifier: before };
    });
    const { grouping, without } = modifier ?? this.#groupingModifier() ?? { grouping: [], without: false };
    const range = { start: name.start, end: this.#tokens.previousEnd };
    if (args.length === 0) this.#fail(range, 'no arguments for aggregate expression provided');
    if ((op === 'limitk' || op === 'limit_ratio') && this.#features.experimentalFunctions !== true) {
      const flag = '--enable-feature=promql-experimental-functions';
      this.#fail(range, `${op}() is experimental and must be enabled with ${flag}`);
    }
    const wanted = takesParameter(op) ? 2 : 1;
    if (args.length !== wanted) {
      const reason = `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`;
      this.#fail(range, reason);
    }
    const param = wanted === 2 ? args[0] : undefined;
    return { kind: 'aggregate', op, expr: args[wanted - 1]!, param, grouping, without, ...range };
  }

  #groupingModifier(): { grouping: string[]; without: boolean } | undefined {
    const word = this.#tokens.accept('by', 'without');
    return word && { grouping: parseGroupingLabels(this.#query, this.#tokens), without: word.type === 'without' };
  }

  #selector(name: string, start: number): VectorSelector {
    const matchers = this.#tokens.is('{') ? parseMatchers(this.#query, this.#tokens) : [];
    if (name !== '') matchers.push(new Matcher('=', METRIC_NAME, name));
    const end = this.#tokens.previousEnd;
    return { kind: 'vector', name, matchers, offset: 0, at: undefined, extension: undefined, start, end };
  }

  #postfix(primary: Expr): Expr {
    let expr = primary;
    for (;;) {
      const token = this.#tokens.accept('offset', '@', '[', 'anchored', 'smoothed');
      if (token === undefined) return expr;
      if (token.type === 'offset') expr = this.#withOffset(expr);
      else if (token.type === '@') expr = this.#withAt(expr);
      else if (token.type === '[') expr = this.#bracket(expr, token);
      else expr = this.#withExtension(expr, token.type as 'anchored' | 'smoothed');
    }
  }

  /** @throws ParseError at `at` when the modifier does not fit */
  #modified(modified: ReturnType<typeof withOffset>, at: SourceRange): Expr {
    return 'fault' in modified ? this.#fail(at, modified.fault) : modified;
  }

  #withOffset(expr: Expr): Expr {
    const offset = durationOf(parseOffset(this.#query, this.#tokens, this.#hasDurationExpressions));
    return this.#modified(withOffset(expr, offset, this.#tokens.previousEnd), expr);
  }

  #withAt(expr: Expr): Expr {
    const at = this.#tokens.within({ context: '@', expected: 'timestamp' }, () => this.#atModifier(expr));
    return this.#modified(withAt(expr, at, this.#tokens.previousEnd), expr);
  }

  #atModifier(expr: Expr): AtModifier {
    const word = this.#tokens.accept('start', 'end');
    if (word !== undefined) {
      this.#tokens.expect('(');
      this.#tokens.expect(')');
      return word.type as 'start' | 'end';
    }
    const sign = this.#tokens.accept('+', '-');
    const { value } = this.#number();
    const seconds = sign?.type === '-' ? -value : value;
    if (!(Math.abs(seconds) < 2 ** 63)) {
      const text = Number.isFinite(seconds) ? seconds.toFixed(6) : formatFloat(seconds);
      this.#fail(expr, `timestamp out of bounds for @ modifier: ${text}`);
    }
    return Math.round(seconds * 1000);
  }

  #withExtension(expr: Expr, extension: 'anchored' | 'smoothed'): Expr {
    if (this.#features.extendedRangeSelectors !== true) {
      this.#fail(expr, `${extension} modifier is experimental and not enabled`);
    }
    return this.#modified(withExtension(expr, extension), expr);
  }

  #bracket(expr: Expr, bracket: Token): Expr {
    const expected = 'number, duration, step(), or range()';
    const range = this.#tokens.within({ context: 'subquery or range selector', expected }, () => this.#range());
    if (this.#tokens.accept(':') !== undefined) return this.#subquery(expr, range);
    this.#tokens.expect(']', { context: 'subquery or range', expected: '":" or "]"' });
    const at = { start: bracket.start, end: this.#tokens.previousEnd };
    return this.#modified(withRange(expr, range, at.end), at);
  }

  #subquery(expr: Expr, range: Duration): Expr {
    let step: Duration | undefined;
    if (!this.#tokens.is(']')) {
      const expected = 'number, duration, step(), range(), or "]"';
      step = this.#tokens.within({ context: 'subquery selector', expected }, () => this.#range());
    }
    const { end } = this.#tokens.expect(']', { context: 'subquery selector', expected: '"]"' });
    return { kind: 'subquery', expr, range, step, offset: 0, at: undefined, start: expr.start, end };
  }

  #range(): Duration {
    const parsed = parseDurationExpr(this.#query, this.#tokens, this.#hasDurationExpressions);
    if (parsed.kind === 'number' && parsed.value <= 0) this.#fail(parsed, 'duration must be greater than 0');
    return durationOf(parsed);
  }
}
