import { MAX_SOUGHT_LENGTH, type PlainPattern } from './plain-pattern.ts';

const PUNCTUATION = /^[!-/:-@[-`{-~]$/;
/** Escapes that stand for one character of a class, or for a place. */
const CLASS_ESCAPE = /^[dDwWsSbBAz]$/;
const QUANTIFIER = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/;
/** Enough for any that RE2 takes, which repeats up to 1000 times. */
const MAX_QUANTIFIER_LENGTH = 12;
/** What changes the meaning of all that follows. */
const MODES = /\(\?[a-zA-Z-]*\)|\\Q/;

/**
 * The literals that every match of a sound regex holds, in order, with anything between them: to seek those is far cheaper than to
 * run the regex (model/labels/regexp.go, `optimizeConcatRegex`).
 * @param pattern RE2, anchored at both ends
 * @returns undefined when none are known
 */
export function requiredLiterals(pattern: string): PlainPattern | undefined {
  if (MODES.test(pattern) || !pattern.isWellFormed()) return undefined;
  const literals: string[] = [];
  let literal = '';
  const gap = (): void => {
    // What follows a gap is one with it.
    if (literal !== '' || literals.length === 0) literals.push(literal);
    literal = '';
  };
  for (let i = 0; i < pattern.length;) {
    const item = itemAt(pattern, i);
    if (item === undefined) return undefined;
    i = item.end;
    const [quantifier = ''] = QUANTIFIER.exec(pattern.slice(i, i + MAX_QUANTIFIER_LENGTH)) ?? [];
    i += quantifier.length;
    if (item.literal === undefined) gap();
    else if (quantifier === '') literal += item.literal;
    else {
      if (quantifier.startsWith('+')) literal += item.literal;
      gap();
    }
  }
  literals.push(literal);
  const isKnown = literals.some((one) => one !== '') && literals.length > 1;
  if (!isKnown || literals.slice(1, -1).some(({ length }) => length > MAX_SOUGHT_LENGTH)) return undefined;
  return { literals, gaps: literals.slice(1).map(() => 0) };
}

/** What a quantifier behind it would refer to: a character, or (`literal` undefined) anything else. */
interface Item {
  readonly literal?: string;
  readonly end: number;
}

/** @returns undefined for what is not looked into */
function itemAt(pattern: string, at: number): Item | undefined {
  const char = String.fromCodePoint(pattern.codePointAt(at)!);
  switch (char) {
    case '.':
    case '^':
    case '$':
      return { end: at + 1 };
    case '[':
      return ended(classEnd(pattern, at));
    case '(':
      return ended(groupEnd(pattern, at));
    case '\\': {
      const next = pattern[at + 1] ?? '';
      if (PUNCTUATION.test(next)) return { literal: next, end: at + 2 };
      return CLASS_ESCAPE.test(next) ? { end: at + 2 } : undefined;
    }
    case '|':
    case ')':
    case ']':
    case '{':
    case '}':
    case '*':
    case '+':
    case '?':
      return undefined;
    default:
      return { literal: char, end: at + char.length };
  }
}

function ended(end: number): Item | undefined {
  return end === -1 ? undefined : { end };
}

/** Behind the `]` of the class that begins at `at`; -1 for none. */
function classEnd(pattern: string, at: number): number {
  at += pattern[at + 1] === '^' ? 2 : 1;
  // One that comes first stands for itself.
  if (pattern[at] === ']') at++;
  while (at < pattern.length) {
    if (pattern[at] === ']') return at + 1;
    if (pattern.startsWith('[:', at)) {
      const end = pattern.indexOf(':]', at + 2);
      at = end === -1 ? at + 1 : end + 2;
    } else at += pattern[at] === '\\' ? 2 : 1;
  }
  return -1;
}

/** Behind the `)` of the group that begins at `at`; -1 for none. */
function groupEnd(pattern: string, at: number): number {
  let depth = 0;
  while (at !== -1 && at < pattern.length) {
    const char = pattern[at];
    if (char === '(') depth++;
    else if (char === ')' && --depth === 0) return at + 1;
    at = char === '[' ? classEnd(pattern, at) : at + (char === '\\' ? 2 : 1);
  }
  return -1;
}
