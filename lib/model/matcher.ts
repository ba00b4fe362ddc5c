import { formatLabelName, quote } from './labels.ts';
import type { PlainPattern } from './plain-pattern.ts';
import { compileRegex, type LinearRegex } from './regex.ts';

export type MatchType = '=' | '!=' | '=~' | '!~';

/** One label matcher. Regexes are RE2, anchored at both ends; an absent label matches as ''. */
export class Matcher {
  readonly type: MatchType;
  readonly name: string;
  readonly value: string;
  readonly #regex: LinearRegex | undefined;

  /** @throws PromletError `model/bad-regex` when a regex does not compile. */
  constructor(type: MatchType, name: string, value: string) {
    this.type = type;
    this.name = name;
    this.value = value;
    this.#regex = type === '=~' || type === '!~' ? compileRegex(value) : undefined;
  }

  matches(value: string): boolean {
    switch (this.type) {
      case '=':
        return value === this.value;
      case '!=':
        return value !== this.value;
      case '=~':
        return this.#regex!.matches(value);
      case '!~':
        return !this.#regex!.matches(value);
    }
  }

  /** The values a positive regex can match when they are few and known (`a|b|c`), else undefined. */
  get setMatches(): readonly string[] | undefined {
    return this.#regex?.set;
  }

  /** What its regex matches as literals with gaps, when it is as plain as that. */
  get plain(): readonly PlainPattern[] | undefined {
    return this.#regex?.plain;
  }

  /** Otherwise: what all that its regex matches has in common, when that is known. */
  get needed(): PlainPattern | undefined {
    return this.#regex?.needed;
  }

  /** The literal prefix every match of the regex starts with; '' when none is known. */
  get prefix(): string {
    return this.#regex?.prefix ?? '';
  }

  /** True when a series without this label matches. */
  get matchesEmpty(): boolean {
    return this.matches('');
  }

  toString(): string {
    return `${formatLabelName(this.name)}${this.type}${quote(this.value)}`;
  }
}
