import { errorMessage, Matcher, METRIC_NAME, quote } from '../../model/index.ts';
import { unquote } from './literals.ts';
import { ParseError } from './parse-error.ts';
import type { TokenStream } from './token-stream.ts';
import { isLabelName, type Token, type TokenType } from './tokens.ts';

const MATCH_OPERATORS: ReadonlySet<TokenType> = new Set(['=', '!=', '=~', '!~']);

/** The value of a string token. @throws ParseError for an escape sequence that is none */
export function unquoteToken(query: string, token: Token): string {
  const value = unquote(token.text);
  if (value !== undefined) return value;
  throw new ParseError(query, token, `error unquoting string ${quote(token.text)}: invalid syntax`);
}

/** `(job, "x.y")` */
export function parseGroupingLabels(query: string, tokens: TokenStream): string[] {
  tokens.expect('(', { context: 'grouping opts', expected: '"("' });
  const labels: string[] = [];
  while (tokens.accept(')') === undefined) {
    labels.push(parseGroupingLabel(query, tokens));
    if (tokens.is(')')) continue;
    tokens.expect(',', { context: 'grouping opts', expected: '"," or ")"' });
  }
  return labels;
}

function parseGroupingLabel(query: string, tokens: TokenStream): string {
  const token = tokens.current;
  if (!isLabelName(token.type) && token.type !== 'STRING') {
    tokens.unexpected({ context: 'grouping opts', expected: 'label' });
  }
  tokens.advance();
  if (token.type !== 'STRING') return token.text;
  const name = unquoteToken(query, token);
  if (name === '') throw new ParseError(query, token, 'invalid label name for grouping: ""');
  return name;
}

/** `{job="x", "metric.name"}` */
export function parseMatchers(query: string, tokens: TokenStream): Matcher[] {
  tokens.expect('{');
  const matchers: Matcher[] = [];
  while (tokens.accept('}') === undefined) {
    matchers.push(parseMatcher(query, tokens));
    if (tokens.is('}')) continue;
    tokens.expect(',', { context: 'label matching', expected: '"," or "}"' });
  }
  return matchers;
}

function parseMatcher(query: string, tokens: TokenStream): Matcher {
  const context = 'label matching';
  const token = tokens.accept('IDENTIFIER', 'STRING');
  if (token === undefined) tokens.unexpected({ context, expected: 'identifier or "}"' });
  const isString = token.type === 'STRING';
  const name = isString ? unquoteToken(query, token) : token.text;
  const op = tokens.current.type;
  if (!MATCH_OPERATORS.has(op)) {
    if (isString) return new Matcher('=', METRIC_NAME, name);
    tokens.unexpected({ context, expected: 'label matching operator' });
  }
  tokens.advance();
  const value = tokens.expect('STRING', { context, expected: 'string' });
  const text = unquoteToken(query, value);
  try {
    return new Matcher(op as '=', name, text);
  } catch (error) {
    throw new ParseError(query, { start: token.start, end: value.end }, regexProblem(error));
  }
}

/** Prometheus does not quote the regex here: the position shows it. */
function regexProblem(error: unknown): string {
  const problem = errorMessage((error as Error).cause ?? error);
  // Go quotes what is left of it.
  return problem.endsWith('trailing backslash at end of expression') ? `${problem}: \`\`` : problem;
}
