// Entries of the postings offset table of a block's index (tsdb/docs/format/index.md): 2, name, value, offset.

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
