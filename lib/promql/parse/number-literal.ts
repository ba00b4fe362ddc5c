import { errorMessage, quote } from '../../model/index.ts';
import type { NumberLiteral } from './ast.ts';
import { parseDurationSeconds, parseNumber } from './literals.ts';
import { ParseError } from './parse-error.ts';
import type { Token } from './tokens.ts';

/** @throws ParseError for a token that looks like a number or duration and is none */
export function numberLiteral(query: string, token: Token): NumberLiteral {
  const { start, end } = token;
  if (token.type === 'NUMBER') {
    const value = parseNumber(token.text);
    const isTooLarge = value !== undefined && !Number.isFinite(value) && /\d/.test(token.text);
    if (value === undefined || isTooLarge) {
      const problem = isTooLarge ? 'value out of range' : 'invalid syntax';
      const reason = `error parsing number: strconv.ParseFloat: parsing ${quote(token.text)}: ${problem}`;
      throw new ParseError(query, token, reason);
    }
    return { kind: 'number', value, duration: false, start, end };
  }
  try {
    return { kind: 'number', value: parseDurationSeconds(token.text), duration: true, start, end };
  } catch (error) {
    throw new ParseError(query, token, errorMessage(error));
  }
}
