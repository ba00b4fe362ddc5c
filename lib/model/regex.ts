import { RE2JS } from 're2js';
import { errorMessage, PromletError, shorten } from './errors.ts';

/** A regex anchored at both ends, matched in linear time. */
export interface LinearRegex {
  matches(text: string): boolean;
  /** All strings it can match, when it is a literal or a plain alternation of literals. */
  readonly set: readonly string[] | undefined;
  /** Literal prefix of every match. */
  readonly prefix: string;
  /** The whole match, then each capturing group ('' when it took no part); undefined when `text` does not match. */
  submatches(text: string): readonly string[] | undefined;
  /** Named groups: name → index into `submatches`. */
  readonly groupNames: Readonly<Record<string, number>>;
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
  const grouped = pattern.startsWith('(') && pattern.endsWith(')');
  const inner = grouped ? pattern.slice(1, -1) : pattern;
  const parts = inner.split('|');
  if (parts.length <= MAX_SET_SIZE && parts.every((part) => LITERAL.test(part))) {
    const set = new Set(parts);
    return simpleRegex((text) => set.has(text), grouped, set.size === 1 ? parts[0]! : '', [...set]);
  }
  const tail = inner.slice(-2);
  const head = inner.slice(0, -2);
  if ((tail === '.*' || tail === '.+') && LITERAL.test(head)) {
    const minLength = head.length + (tail === '.+' ? 1 : 0);
    return simpleRegex((text) => text.length >= minLength && text.startsWith(head), grouped, head);
  }
  return undefined;
}

const NO_GROUPS: Readonly<Record<string, number>> = Object.freeze(Object.create(null) as Record<string, number>);

/** A regex without groups, or (`grouped`) with one around all of it. */
function simpleRegex(
  matches: (text: string) => boolean,
  grouped: boolean,
  prefix: string,
  set?: readonly string[],
): LinearRegex {
  return {
    matches,
    set,
    prefix,
    submatches: (text) => (matches(text) ? (grouped ? [text, text] : [text]) : undefined),
    groupNames: NO_GROUPS,
  };
}

function compileGeneral(pattern: string): LinearRegex {
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch (error) {
    // RE2JS quotes the flag it put in front.
    const cause = new Error(errorMessage(error).replace('`(?s)', '`'));
    throw new PromletError('model/bad-regex', `invalid regex "${shorten(pattern)}": ${cause.message}`, { cause });
  }
  return {
    matches: (text) => regex.matches(text),
    set: undefined,
    prefix: literalPrefix(pattern),
    submatches(text) {
      const matcher = regex.matcher(text);
      if (!matcher.matches()) return undefined;
      const groups: string[] = [];
      for (let i = 0; i <= matcher.groupCount(); i++) groups.push(matcher.group(i) ?? '');
      return groups;
    },
    groupNames: regex.namedGroups(),
  };
}

const REFERENCE = /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu;

/**
 * Go's `Regexp.Expand`: `$1`, `${1}`, `$name`, `${name}` become the group's text, '' when there is no such group; `$$`
 * is `$`; any other `$` stays. `$1x` names the group "1x".
 * @param groups what `regex.submatches` gave
 */
export function expandTemplate(template: string, regex: LinearRegex, groups: readonly string[]): string {
  if (!template.includes('$')) return template;
  return template.replaceAll(REFERENCE, (reference: string, braced?: string, bare?: string) => {
    if (reference === '$$') return '$';
    const name = (braced ?? bare)!;
    const index = /^(?:0|[1-9]\d{0,7})$/.test(name) ? Number(name) : regex.groupNames[name];
    return index === undefined ? '' : (groups[index] ?? '');
  });
}

/** The literal characters before the first operator; none where an alternation could start elsewhere. */
function literalPrefix(pattern: string): string {
  if (pattern.includes('|')) return '';
  const stop = pattern.search(/[\\.+*?()[\]{}^$]/);
  if (stop <= 0) return '';
  const quantified = '*?{'.includes(pattern[stop]!);
  return pattern.slice(0, quantified ? stop - 1 : stop);
}
