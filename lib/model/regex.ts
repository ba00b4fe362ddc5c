import { RE2JS } from 're2js';
import { errorMessage, PromletError, shorten } from './errors.ts';

/** A regex anchored at both ends, matched in linear time. */
export interface LinearRegex {
  matches(text: string): boolean;
  /** All strings it can match, when it is a literal or a plain alternation of literals. */
  readonly set: readonly string[] | undefined;
  /** Literal prefix of every match. */
  readonly prefix: string;
}

const LITERAL = /^[^\\.+*?()|[\]{}^$]*$/;
const MAX_SET_SIZE = 256;
/** Longest pattern accepted, characters; guards compile time and memory. */
const MAX_PATTERN_LENGTH = 16 * 1024;

/**
 * Compiles a Prometheus regex (RE2 syntax, dot matches newline, anchored). Fast paths: literals, `a|b|c` and `(a|b|c)`,
 * `.*`, `.+`, `literal.*`, `literal.+`; the rest runs on RE2JS.
 * @throws PromletError `model/bad-regex`
 */
export function compileRegex(pattern: string): LinearRegex {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new PromletError(
      'model/bad-regex',
      `regex of ${pattern.length} characters, the limit is ${MAX_PATTERN_LENGTH}`,
    );
  }
  return fastPath(pattern) ?? compileGeneral(pattern);
}

function fastPath(pattern: string): LinearRegex | undefined {
  const alternatives = pattern.startsWith('(') && pattern.endsWith(')') ? pattern.slice(1, -1) : pattern;
  const parts = alternatives.split('|');
  if (parts.length <= MAX_SET_SIZE && parts.every((part) => LITERAL.test(part))) {
    const set = new Set(parts);
    return { matches: (text) => set.has(text), set: [...set], prefix: set.size === 1 ? parts[0]! : '' };
  }
  const tail = pattern.slice(-2);
  const head = pattern.slice(0, -2);
  if ((tail === '.*' || tail === '.+') && LITERAL.test(head)) {
    const minLength = head.length + (tail === '.+' ? 1 : 0);
    return { matches: (text) => text.length >= minLength && text.startsWith(head), set: undefined, prefix: head };
  }
  return undefined;
}

function compileGeneral(pattern: string): LinearRegex {
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch (error) {
    throw new PromletError('model/bad-regex', `invalid regex "${shorten(pattern)}": ${errorMessage(error)}`);
  }
  return { matches: (text) => regex.matches(text), set: undefined, prefix: literalPrefix(pattern) };
}

/** The literal characters before the first operator; none where an alternation could start elsewhere. */
function literalPrefix(pattern: string): string {
  if (pattern.includes('|')) return '';
  const stop = pattern.search(/[\\.+*?()[\]{}^$]/);
  if (stop <= 0) return '';
  const quantified = '*?{'.includes(pattern[stop]!);
  return pattern.slice(0, quantified ? stop - 1 : stop);
}
