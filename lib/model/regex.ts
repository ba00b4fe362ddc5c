import { RE2JS } from 're2js';
import { errorMessage, PromletError, shorten } from './errors.ts';
import { matchesPlain, type PlainPattern, plainAlternatives } from './plain-pattern.ts';
import { requiredLiterals } from './required-literals.ts';

/** A regex anchored at both ends, matched in linear time. */
export interface LinearRegex {
  matches(text: string): boolean;
  /** All strings it can match, when it is a literal or a plain alternation of literals. */
  readonly set: readonly string[] | undefined;
  /** It matches what one of these matches, when it is as plain as that. */
  readonly plain: readonly PlainPattern[] | undefined;
  /** Otherwise: what each match of it matches, too, when that is known. */
  readonly needed: PlainPattern | undefined;
  /** Literal prefix of every match. */
  readonly prefix: string;
  /** The whole match, then each capturing group ('' when it took no part); undefined when `text` does not match. */
  submatches(text: string): readonly string[] | undefined;
  /** Named groups: name → index into `submatches`. */
  readonly groupNames: Readonly<Record<string, number>>;
}

/** Longest pattern accepted, characters; guards compile time and memory. */
const MAX_PATTERN_LENGTH = 16 * 1024;

/**
 * Compiles a Prometheus regex (RE2 syntax, dot matches newline, anchored). Fast paths: literals, with `.*` and `.+` anywhere
 * between them, and `a|b|c` and `(a|b|c)` of such; the rest runs on RE2JS.
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
  const parts = plainAlternatives(grouped ? pattern.slice(1, -1) : pattern);
  if (parts === undefined) return undefined;
  if (parts.every(({ gaps }) => gaps.length === 0)) {
    const set = new Set(parts.map(({ literals }) => literals[0]!));
    return simpleRegex((text) => set.has(text), parts, grouped, set.size === 1 ? parts[0]!.literals[0]! : '', [...set]);
  }
  const [first] = parts;
  if (parts.length === 1) {
    return simpleRegex((text) => matchesPlain(first!, text), parts, grouped, first!.literals[0]!);
  }
  return simpleRegex((text) => parts.some((part) => matchesPlain(part, text)), parts, grouped, '');
}

const NO_GROUPS: Readonly<Record<string, number>> = Object.freeze(Object.create(null) as Record<string, number>);

/** A regex without groups, or (`grouped`) with one around all of it. */
function simpleRegex(
  matches: (text: string) => boolean,
  plain: readonly PlainPattern[],
  grouped: boolean,
  prefix: string,
  set?: readonly string[],
): LinearRegex {
  return {
    matches,
    set,
    plain,
    needed: undefined,
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
  const needed = requiredLiterals(pattern);
  return {
    matches: (text) => (needed === undefined || matchesPlain(needed, text)) && regex.matches(text),
    set: undefined,
    plain: undefined,
    needed,
    prefix: needed?.literals[0] ?? '',
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
