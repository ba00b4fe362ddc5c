// Entries of the postings offset table of a block's index (tsdb/docs/format/index.md): 2, name, value, offset.
import { sameBytes } from './labels';

const KEYS: u32 = 2;
/** Of an offset, whose 7 bytes hold more than any that is sound. */
const MAX_OFFSET_BYTES: u32 = 7;
/** A length takes one or two bytes here; who has longer texts is read in another way. */
const MAX_TEXT_BYTES: u32 = 1 << 14;

export const ROW_BYTES: usize = 16;
/** In the length of a value: it is not all ASCII. */
const NOT_ASCII: u32 = 0x80000000;

/**
 * Reads up to `capacity` entries from `at` on, of which `available` bytes are in memory. Each becomes a row of 16 bytes: where its
 * value begins, behind `at` (u32), the value's length in bytes, the highest bit set when they are not all ASCII (u32), the offset
 * (f64). Stops before one that is not all there, or that is not plain. @returns how many; the u32 at `consumed` becomes the bytes
 * that they take
 */
export function readPostingsOffsets(at: usize, available: u32, rows: usize, capacity: u32, consumed: usize): u32 {
  const start = at;
  const end = at + available;
  let count: u32 = 0;
  store<u32>(consumed, 0);
  while (count < capacity && at + 2 <= end) {
    if (<u32>load<u8>(at++) != KEYS) break;
    const name = textLength(at);
    at += (name >>> 7 ? 2 : 1) + <usize>name;
    if (at + 1 > end) break;
    const value = textLength(at);
    at += value >>> 7 ? 2 : 1;
    const text = at;
    at += <usize>value;
    if (name == MAX_TEXT_BYTES || value == MAX_TEXT_BYTES || at >= end) break;
    let offset: u64 = 0;
    let byte: u64 = 0x80;
    for (let i: u32 = 0; byte >= 0x80 && i < MAX_OFFSET_BYTES && at < end; i++) {
      byte = <u64>load<u8>(at++);
      offset |= (byte & 0x7f) << (<u64>(7 * i));
    }
    if (byte >= 0x80) break;
    const row = rows + <usize>count * ROW_BYTES;
    store<u32>(row, <u32>(text - start));
    store<u32>(row, isAscii(text, value) ? value : value | NOT_ASCII, 4);
    store<f64>(row, <f64>offset, 8);
    count++;
    store<u32>(consumed, <u32>(at - start));
  }
  return count;
}

/** A length of one or two bytes; `MAX_TEXT_BYTES` when there are more. */
// @ts-ignore: decorator
@inline
function textLength(at: usize): u32 {
  const first = <u32>load<u8>(at);
  if (first < 0x80) return first;
  const second = <u32>load<u8>(at, 1);
  return second < 0x80 ? (first & 0x7f) | (second << 7) : MAX_TEXT_BYTES;
}

function isAscii(at: usize, length: u32): bool {
  const end = at + <usize>length;
  let high: u64 = 0;
  for (; at + 8 <= end; at += 8) high |= load<u64>(at);
  for (; at < end; at++) high |= <u64>load<u8>(at);
  return (high & 0x8080808080808080) == 0;
}

/**
 * Leaves of `count` rows those whose values are wanted, or are not all ASCII, one behind the other. Wanted is what one of the
 * patterns matches, or (`isNegated`) none; they are written as ../../tsdb/block/row-matcher.ts has them. @param base what the rows
 * count from @returns how many are left
 */
export function keepMatching(base: usize, rows: usize, count: u32, patterns: usize, isNegated: bool): u32 {
  let kept = rows;
  for (let row = rows, end = rows + <usize>count * ROW_BYTES; row < end; row += ROW_BYTES) {
    const length = load<u32>(row, 4);
    if (length < NOT_ASCII && matchesOne(patterns, base + <usize>load<u32>(row), length) == isNegated) continue;
    store<u64>(kept, load<u64>(row));
    store<u64>(kept, load<u64>(row, 8), 8);
    kept += ROW_BYTES;
  }
  return <u32>(kept - rows) / <u32>ROW_BYTES;
}

function matchesOne(patterns: usize, text: usize, length: u32): bool {
  let at = patterns + 4;
  for (let left = load<u32>(patterns); left > 0; left--) {
    if (matchesLiterals(at + 8, load<u32>(at, 4), text, length)) return true;
    at += <usize>load<u32>(at);
  }
  return false;
}

/** Of literals in order, taking each where it is found first leaves the most to the others. */
function matchesLiterals(literal: usize, count: u32, text: usize, textLength: u32): bool {
  const end = text + <usize>textLength;
  let length = load<u32>(literal, 4);
  if (length > textLength || !sameBytes(literal + 8, text, length)) return false;
  if (count == 1) return length == textLength;
  text += <usize>length;
  for (; count > 2; count--) {
    literal = nextLiteral(literal, length);
    length = load<u32>(literal, 4);
    text = find(literal + 8, length, text + <usize>load<u32>(literal), end);
    if (text == 0) return false;
    text += <usize>length;
  }
  literal = nextLiteral(literal, length);
  length = load<u32>(literal, 4);
  return text + <usize>load<u32>(literal) + <usize>length <= end && sameBytes(literal + 8, end - <usize>length, length);
}

// @ts-ignore: decorator
@inline
function nextLiteral(literal: usize, length: u32): usize {
  return literal + 8 + <usize>((length + 3) & ~3);
}

/** Where `length` bytes, at least one, first are from `at` on; 0 for nowhere. */
function find(bytes: usize, length: u32, at: usize, end: usize): usize {
  const first = load<u8>(bytes);
  for (; at + <usize>length <= end; at++) if (load<u8>(at) == first && sameBytes(bytes, at, length)) return at;
  return 0;
}

/**
 * Puts the values of rows one behind the other to `out`, behind `length` bytes that are there, and where each ends to `ends` (u32).
 * Writes over up to 7 bytes behind. @returns how many bytes are there then
 */
export function gatherValues(base: usize, rows: usize, count: u32, out: usize, length: u32, ends: usize): u32 {
  for (let i: u32 = 0; i < count; i++, rows += ROW_BYTES) {
    const value = base + <usize>load<u32>(rows);
    const valueLength = load<u32>(rows, 4) & ~NOT_ASCII;
    const at = out + <usize>length;
    for (let done: usize = 0; done < <usize>valueLength; done += 8) store<u64>(at + done, load<u64>(value + done));
    length += valueLength;
    store<u32>(ends + (<usize>i << 2), length);
  }
  return length;
}
