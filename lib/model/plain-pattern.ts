const OPERATOR = /[\\.+*?()|[\]{}^$]/;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
/** Parts between `|` that are looked through one by one. */
const MAX_PARTS = 256;
/** Literals that are sought anywhere in a text are short, so that seeking them is as good as linear. */
export const MAX_SOUGHT_LENGTH = 64;

/** Literals with gaps between them: `literals[0]`, at least `gaps[0]` characters, `literals[1]`, … */
export interface PlainPattern {
  /** The first and the last may be ''. */
  readonly literals: readonly string[];
  /** 0 for `.*`, 1 for `.+`; one fewer than literals. */
  readonly gaps: readonly (0 | 1)[];
}

/** The alternatives of a regex when all are plain. */
export function plainAlternatives(pattern: string): readonly PlainPattern[] | undefined {
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
export function matchesPlain({ literals, gaps }: PlainPattern, text: string): boolean {
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
