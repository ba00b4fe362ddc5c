import { quote } from '../../model/index.ts';
import type { Cursor } from './cursor.ts';

/** Throws, with the reason in Prometheus's words. */
export type Fail = (reason: string) => never;

/** Reads a string between double or single quotes, and checks its escape sequences. */
export function scanString(cursor: Cursor, fail: Fail): void {
  const quoteChar = cursor.peek();
  cursor.pos++;
  for (;;) {
    const char = cursor.peek();
    if (char === '' || char === '\n') fail('unterminated quoted string');
    cursor.pos++;
    if (char === quoteChar) return;
    if (char === '\\') scanEscape(cursor, quoteChar, fail);
  }
}

const DIGIT_COUNTS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

function scanEscape(cursor: Cursor, quoteChar: string, fail: Fail): void {
  const char = cursor.peek();
  if (char === '') fail('escape sequence not terminated');
  if (cursor.accept(`${quoteChar}abfnrtv\\`)) return;
  const isOctal = char >= '0' && char <= '7';
  const digitCount = isOctal ? 3 : DIGIT_COUNTS[char];
  if (digitCount === undefined) return fail(`unknown escape sequence ${describeChar(cursor)}`);
  if (!isOctal) cursor.pos++;
  const radix = isOctal ? 8 : 16;
  let code = 0;
  for (let i = 0; i < digitCount; i++) {
    const digit = parseInt(cursor.peek(), radix);
    if (Number.isNaN(digit)) {
      if (cursor.peek() === '') fail('escape sequence not terminated');
      fail(`illegal character ${describeChar(cursor)} in escape sequence`);
    }
    code = code * radix + digit;
    cursor.pos++;
  }
  const max = digitCount <= 3 ? 255 : 0x10ffff;
  if (code > max || (code >= 0xd800 && code < 0xe000)) fail('escape sequence is an invalid Unicode code point');
}

/** Reads a string between backquotes, in which nothing is escaped. */
export function scanRawString(cursor: Cursor, fail: Fail): void {
  const end = cursor.input.indexOf('`', cursor.pos + 1);
  if (end < 0) fail('unterminated raw string');
  cursor.pos = end + 1;
}

/** The character at `pos` as Go's %q prints a rune. */
export function quoteChar(input: string, pos: number): string {
  const code = input.codePointAt(pos);
  const char = code === undefined ? '\uFFFD' : String.fromCodePoint(code);
  if (char === "'") return String.raw`'\''`;
  return char === '"' ? `'"'` : `'${quote(char).slice(1, -1)}'`;
}

/** The next character as Go's %#U prints it: `U+0064 'd'`, without what cannot be printed. */
function describeChar({ input, pos }: Cursor): string {
  const char = String.fromCodePoint(input.codePointAt(pos)!);
  const code = `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
  const isPrintable = char === '"' || char === '\\' || quote(char) === `"${char}"`;
  return isPrintable ? `${code} '${char}'` : code;
}
