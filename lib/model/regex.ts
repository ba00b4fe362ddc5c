import { RE2JS } from 're2js';
import { errorMessage, PromletError, shorten } from './errors.ts';

/** A regex anchored at both ends, matched in linear time. */
export interface LinearRegex {
  matches(text: string): boolean;
  /** All strings it can match, when it is a literal or a plain alternation of literals. */
  readonly set: readonly string[] | undefined;
  /** It matches what one of these matches, when it is as plain as that. */
  readonly plain: readonly PlainPattern[] | undefined;
  /** Literal prefix of every match. */
  readonly prefix: string;
  /** The whole match, then each capturing group ('' when it took no part); undefined when `text` does not match. */
  submatches(text: string): readonly string[] | undefined;
  /** Named groups: name → index into `submatches`. */
  readonly groupNames: Readonly<Record<string, number>>;
}

const OPERATOR = /[\\.+*?()|[\]{}^$]/;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
/** Parts between `|` that are looked through one by one. */
const MAX_PARTS = 256;
/** Literals that are sought anywhere in a text are short, so that seeking them is as good as linear. */
const MAX_SOUGHT_LENGTH = 64;
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
  const parts = plainParts(grouped ? pattern.slice(1, -1) : pattern);
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

/** Literals with gaps between them: `literals[0]`, at least `gaps[0]` characters, `literals[1]`, … */
export interface PlainPattern {
  /** The first and the last may be ''. */
  readonly literals: readonly string[];
  /** 0 for `.*`, 1 for `.+`; one fewer than literals. */
  readonly gaps: readonly (0 | 1)[];
}

/** The alternatives of a regex when all are plain. */
function plainParts(pattern: string): readonly PlainPattern[] | undefined {
  const parts: PlainPattern[] = [];
  let literals: string[] = [];
  let gaps: (0 | 1)[] = [];
  let literal = '';
  const end = (): void => {
    parts.push({ literals: [...literals, literal], gaps });
    literals = [];
    gaps = [];
    literal = '';
  };
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!;
    const next = pattern[i + 1] ?? '';
    if (char === '|') {
      end();
      if (parts.length === MAX_PARTS) return undefined;
    } else if (char === '.' && (next === '*' || next === '+')) {
      const gap = next === '*' ? 0 : 1;
      const before = gaps.at(-1);
      if (literal !== '' || before === undefined) {
        if (gaps.length > 0 && literal.length > MAX_SOUGHT_LENGTH) return undefined;
        literals.push(literal);
        gaps.push(gap);
      } else if (gap === 0 || before === 0) {
        gaps[gaps.length - 1] = gap === 0 ? before : gap;
      } else {
        return undefined;
      }
      literal = '';
      i++;
    } else if (char === '\\' && PUNCTUATION.test(next)) {
      literal += next;
      i++;
    } else if (OPERATOR.test(char)) return undefined;
    else literal += char;
  }
  end();
  // A lone half of a pair may be found within one, where RE2 does not look.
  return pattern.isWellFormed() ? parts : undefined;
}

/** Of literals in order, taking each where it is found first leaves the most to the others. */
function matchesPlain({ literals, gaps }: PlainPattern, text: string): boolean {
  const last = literals.length - 1;
  if (last === 0) return text === literals[0];
  if (!text.startsWith(literals[0]!)) return false;
  let at = literals[0]!.length;
  for (let i = 1; i < last; i++) {
    at = text.indexOf(literals[i]!, at + gaps[i - 1]!);
    if (at === -1) return false;
    at += literals[i]!.length;
  }
  return text.length - literals[last]!.length >= at + gaps[last - 1]! && text.endsWith(literals[last]!);
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
    plain: undefined,
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
