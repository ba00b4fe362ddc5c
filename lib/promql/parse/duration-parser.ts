import { MAX_NESTING_DEPTH } from '../limits.ts';
import type { Duration, DurationExpr, NumberLiteral, SourceRange } from './ast.ts';
import { isDurationOutOfRange, secondsToMs } from './literals.ts';
import { numberLiteral } from './number-literal.ts';
import { ParseError } from './parse-error.ts';
import type { TokenStream } from './token-stream.ts';
import type { Token, TokenType } from './tokens.ts';

type Operand = DurationExpr | NumberLiteral;

const PRECEDENCE: Readonly<Partial<Record<TokenType, number>>> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': 3 };
const POWER_PRECEDENCE = 3;

/** What a parsed duration is to the evaluator: milliseconds when it is a plain literal. */
export function durationOf(operand: Operand): Duration {
  return operand.kind === 'number' ? secondsToMs(operand.value) : operand;
}

/** A duration between brackets: literals, `step()`, `range()`, `min_of`, `max_of`, arithmetic, parentheses. */
export function parseDurationExpr(query: string, tokens: TokenStream, isExperimentEnabled: boolean): Operand {
  return new DurationParser(query, tokens, isExperimentEnabled).binary(0);
}

/**
 * A duration behind `offset`. Without parentheses, or two signs, only one operand belongs to it: `foo offset -2^2` is
 * `(foo offset -2)^2`.
 */
export function parseOffset(query: string, tokens: TokenStream, isExperimentEnabled: boolean): Operand {
  const context = { context: 'offset', expected: 'number, duration, step(), or range()' };
  return tokens.within(context, () => {
    const parser = new DurationParser(query, tokens, isExperimentEnabled);
    if (tokens.is('(')) return parser.binary(0);
    const isSigned = tokens.is('+') || tokens.is('-');
    const following = isSigned ? tokens.peek().type : undefined;
    return following === '+' || following === '-' ? parser.binary(0) : parser.single();
  });
}

class DurationParser {
  readonly #query: string;
  readonly #tokens: TokenStream;
  /** More than a literal is allowed. */
  readonly #isExperimentEnabled: boolean;
  /** Bounds the depth of the tree: no branch is longer than there are operands. */
  #operandCount = 0;

  constructor(query: string, tokens: TokenStream, isExperimentEnabled: boolean) {
    this.#query = query;
    this.#tokens = tokens;
    this.#isExperimentEnabled = isExperimentEnabled;
  }

  #requireExperiment(at: SourceRange): void {
    if (this.#isExperimentEnabled) return;
    throw new ParseError(this.#query, at, 'experimental duration expression is not enabled');
  }

  binary(minPrecedence: number): Operand {
    let left = this.#unary();
    for (;;) {
      const { type } = this.#tokens.current;
      const precedence = PRECEDENCE[type];
      if (precedence === undefined || precedence < minPrecedence) return left;
      const token = this.#tokens.advance();
      const right = this.binary(precedence === POWER_PRECEDENCE ? precedence : precedence + 1);
      this.#requireExperiment(left);
      if (right.kind === 'number' && right.value === 0 && (type === '/' || type === '%')) {
        throw new ParseError(this.#query, token, type === '/' ? 'division by zero' : 'modulo by zero');
      }
      const op = type as DurationExpr['op'];
      left = { kind: 'duration', op, left, right, wrapped: false, start: left.start, end: right.end };
    }
  }

  single(): Operand {
    const sign = this.#tokens.accept('+', '-');
    return sign === undefined ? this.#primary(this.#tokens.current) : this.#signed(sign, this.#primary(sign));
  }

  #unary(): Operand {
    if (++this.#operandCount > MAX_NESTING_DEPTH) {
      const reason = `duration has more than ${MAX_NESTING_DEPTH} operands`;
      throw new ParseError(this.#query, this.#tokens.current, reason);
    }
    const sign = this.#tokens.accept('+', '-');
    if (sign !== undefined) return this.#signed(sign, this.binary(POWER_PRECEDENCE));
    return this.#primary(this.#tokens.current);
  }

  #signed(sign: Token, operand: Operand): Operand {
    const { start } = sign;
    if (operand.kind === 'number') {
      return { ...operand, value: sign.type === '-' ? -operand.value : operand.value, start };
    }
    if (sign.type === '+') return operand;
    return { kind: 'duration', op: '-', left: undefined, right: operand, wrapped: false, start, end: operand.end };
  }

  /** @param begin where it begins for messages: at its sign, if that belongs to it alone */
  #primary(begin: SourceRange): Operand {
    const token = this.#tokens.current;
    const { type } = token;
    if (type === 'NUMBER' || type === 'DURATION') {
      this.#tokens.advance();
      const literal = numberLiteral(this.#query, token);
      if (isDurationOutOfRange(literal.value)) throw new ParseError(this.#query, begin, 'duration out of range');
      return literal;
    }
    if (type === 'step' || type === 'range' || type === 'min_of' || type === 'max_of') {
      this.#tokens.advance();
      return this.#function(token, type, begin);
    }
    if (type !== '(') this.#tokens.unexpected();
    this.#tokens.advance();
    return this.#parenthesised(token);
  }

  #function(name: Token, op: 'step' | 'range' | 'min_of' | 'max_of', begin: SourceRange): DurationExpr {
    this.#tokens.expect('(');
    let left: Operand | undefined;
    let right: Operand | undefined;
    if (op === 'min_of' || op === 'max_of') {
      left = this.binary(0);
      this.#tokens.expect(',');
      right = this.binary(0);
    }
    const { end } = this.#tokens.expect(')');
    this.#requireExperiment(begin);
    return { kind: 'duration', op, left, right, wrapped: false, start: name.start, end };
  }

  #parenthesised(paren: Token): DurationExpr {
    const inner = this.binary(0);
    const { end } = this.#tokens.expect(')');
    this.#requireExperiment(inner);
    if (inner.kind === 'duration') return { ...inner, wrapped: true };
    // A literal cannot remember its parentheses; a unary plus around it can.
    return { kind: 'duration', op: '+', left: undefined, right: inner, wrapped: true, start: paren.start, end };
  }
}
