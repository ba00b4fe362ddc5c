import { MAX_QUOTED_BYTES } from './limits.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes below 0x80 as text. */
export function ascii(bytes: Uint8Array, start: number, end: number): string {
  let out = '';
  for (let at = start; at < end; at++) out += String.fromCharCode(bytes[at]!);
  return out;
}

/** One character a byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return end - start <= 32 ? ascii(bytes, start, end) : Buffer.from(bytes.subarray(start, end)).toString('latin1');
}

/** @returns undefined for invalid UTF-8 */
export function decode(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start <= 24) {
    let at = start;
    while (at < end && bytes[at]! < 0x80) at++;
    if (at === end) return ascii(bytes, start, end);
  }
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

/** Go's %q of bytes, shortened. */
export function goQuote(bytes: Uint8Array, start: number, end: number): string {
  const shown = Math.min(end, start + MAX_QUOTED_BYTES);
  let out = '"';
  let at = start;
  while (at < shown) {
    const byte = bytes[at]!;
    const width = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    const char = byte < 0x80 ? String.fromCharCode(byte) : decode(bytes, at, Math.min(at + width, end));
    if (char === undefined) {
      out += hexEscape(byte);
      at++;
      continue;
    }
    out += ESCAPES.get(char) ?? (byte < 0x20 || byte === 0x7f ? hexEscape(byte) : char);
    at += width;
  }
  return end > shown ? `${out}…"` : `${out}"`;
}

const ESCAPES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '"': '\\"',
    '\\': '\\\\',
    '\n': '\\n',
    '\t': '\\t',
    '\r': '\\r',
    '\v': '\\v',
    '\f': '\\f',
    '\b': '\\b',
    '\x07': '\\a',
  }),
);

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}
