import { isUtf8 } from 'node:buffer';
import { parseDuration, parseFloatStrict } from '../../model/index.ts';

/** Go's largest time.Duration, ns as seconds. */
const MAX_DURATION_SECONDS = 2 ** 63 / 1e9;

/**
 * A number as Go's `ParseInt(text, 0)` or else `ParseFloat` reads it: `0x1f`, `0b11`, `017` (octal), `1_000`, `1e3`.
 * @returns undefined when it is none
 */
export function parseNumber(text: string): number | undefined {
  const lower = text.toLowerCase();
  if (text.includes('_') && !underscoresSeparateDigits(lower)) return undefined;
  const plain = lower.replaceAll('_', '');
  // Hexadecimal numbers are integers of 64 bits with a sign.
  if (/^0x0*(?:[0-7]?[0-9a-f]{0,15})$/.test(plain) && plain.length > 2) return Number(plain);
  if (plain.startsWith('0x')) return undefined;
  if (/^0b[01]+$/.test(plain) || /^0o[0-7]+$/.test(plain)) return Number(plain);
  if (/^0[0-7]+$/.test(plain)) return parseInt(plain, 8);
  return parseFloatStrict(plain);
}

function underscoresSeparateDigits(text: string): boolean {
  return !/__|_$|^_|_[.ex]|[.e]_/.test(text);
}

/** A duration literal in seconds. @throws PromletError `model/bad-duration` */
export function parseDurationSeconds(text: string): number {
  return parseDuration(text) / 1000;
}

export function isDurationOutOfRange(seconds: number): boolean {
  return seconds > MAX_DURATION_SECONDS || seconds < -MAX_DURATION_SECONDS;
}

/** In nanoseconds at the finest; what is not a number is the least duration there is, as in Go. */
export function secondsToMs(seconds: number): number {
  return Number.isNaN(seconds) ? -MAX_DURATION_SECONDS * 1000 : Math.round(seconds * 1e9) / 1e6;
}

/**
 * The value of a quoted string (Prometheus `strutil.Unquote`); `\x` and octal escapes are bytes of UTF-8.
 * @returns undefined when an escape is invalid
 */
export function unquote(literal: string): string | undefined {
  const quoteChar = literal[0]!;
  const body = literal.slice(1, -1);
  if (quoteChar === '`' || !body.includes('\\')) return body;
  const bytes: number[] = [];
  for (let i = 0; i < body.length;) {
    if (body[i] !== '\\') {
      const char = String.fromCodePoint(body.codePointAt(i)!);
      bytes.push(...Buffer.from(char));
      i += char.length;
      continue;
    }
    const escape = readEscape(body, i + 1, quoteChar);
    if (escape === undefined) return undefined;
    bytes.push(...escape.bytes);
    i = escape.next;
  }
  return decodeUtf8(Buffer.from(bytes));
}

/** Bytes that are not UTF-8 become lone surrogates, U+DC00 plus the byte: strings that differ stay different. */
function decodeUtf8(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = [1, 2, 3, 4].find((count) => at + count <= bytes.length && isUtf8(bytes.subarray(at, at + count)));
    text += length === undefined ? String.fromCharCode(0xdc00 + bytes[at]!) : bytes.toString('utf8', at, at + length);
    at += length ?? 1;
  }
  return text;
}

const SIMPLE_ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
};

function readEscape(
  body: string,
  at: number,
  quoteChar: string,
): { bytes: Iterable<number>; next: number } | undefined {
  const char = body[at] ?? '';
  const simple = char === quoteChar ? quoteChar.charCodeAt(0) : SIMPLE_ESCAPES[char];
  if (simple !== undefined) return { bytes: [simple], next: at + 1 };
  const octal = /^[0-7]{3}/.exec(body.slice(at, at + 3));
  if (octal !== null) {
    const byte = parseInt(octal[0], 8);
    return byte > 255 ? undefined : { bytes: [byte], next: at + 3 };
  }
  const hex = /^(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})/.exec(body.slice(at, at + 9));
  if (hex === null) return undefined;
  const code = parseInt(hex[0].slice(1), 16);
  if (char === 'x') return { bytes: [code], next: at + 3 };
  if (code > 0x10ffff) return undefined;
  return { bytes: Buffer.from(String.fromCodePoint(code)), next: at + hex[0].length };
}
