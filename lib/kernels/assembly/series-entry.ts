// The entry of a series in the index of a block (tsdb/docs/format/index.md): length, labels as numbers of symbols, chunks, CRC.
import { crc32c } from './crc32c';

const CRC_BYTES: u32 = 4;
/** What is returned has room for so many. */
const MAX_LABELS: u64 = 0x3fff;
const MAX_CHUNKS: u64 = 0xffff;
/** Times and places of chunks that doubles hold exactly. */
const MAX_EXACT: u64 = (1 << 53) - 1;

/** Where the next varint begins. */
let at: usize = 0;
/** Whether one was longer than any that is sound. */
let isTooLong: bool = false;

// @ts-ignore: decorator
@inline
function uvarint(): u64 {
  const first = <u64>load<u8>(at++);
  return first < 0x80 ? first : longUvarint(first & 0x7f);
}

/** Of up to 56 bits, so that adding some up goes beyond no i64. */
function longUvarint(value: u64): u64 {
  for (let shift: u64 = 7; shift < 56; shift += 7) {
    const byte = <u64>load<u8>(at++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  isTooLong = true;
  return 0;
}

/** Zigzag. */
function varint(): i64 {
  const zigzag = uvarint();
  return <i64>(zigzag >>> 1) ^ -(<i64>(zigzag & 1));
}

// @ts-ignore: decorator
@inline
function isExact(value: i64): bool {
  return value >= -(<i64>MAX_EXACT) && value <= <i64>MAX_EXACT;
}

/**
 * Reads the entry at `entry`, of which `available` bytes are in memory: all symbols, and of the chunks those that overlap
 * [minMs, maxMs]. They go to columns one behind the other: first times and last times (f64), segments and offsets (u32), of
 * `capacity` each, in which `used` are taken. Reads up to 64 bytes behind the entry.
 * @returns symbols << 16 | chunks, or -1 when it has to be looked at closer: it is not all there, does not fit, or is damaged
 */
export function readSeriesEntry(
  entry: usize,
  available: u32,
  minMs: f64,
  maxMs: f64,
  symbols: usize,
  symbolRoom: u32,
  columns: usize,
  capacity: u32,
  used: u32,
): i32 {
  at = entry;
  isTooLong = false;
  const length = uvarint();
  const start = at;
  if (isTooLong || <u64>(start - entry) + length + CRC_BYTES > <u64>available) return -1;
  const end = start + <usize>length;
  if (crc32c(0, start, <u32>length) != bswap<u32>(load<u32>(end))) return -1;

  const labels = uvarint();
  if (2 * labels > <u64>symbolRoom || labels > MAX_LABELS) return -1;
  const symbolCount: u32 = 2 * <u32>labels;
  for (let i: u32 = 0; i < symbolCount; i++) {
    if (at > end) return -1;
    const symbol = uvarint();
    if (symbol > <u64>u32.MAX_VALUE) return -1;
    store<u32>(symbols + (<usize>i << 2), <u32>symbol);
  }

  const chunks = uvarint();
  if (chunks > MAX_CHUNKS) return -1;
  const lasts = columns + (<usize>capacity << 3);
  const segments = lasts + (<usize>capacity << 3);
  const offsets = segments + (<usize>capacity << 2);
  let row = used;
  let last: i64 = 0;
  let place: i64 = 0;
  for (let i: u32 = 0; i < <u32>chunks; i++) {
    if (at > end) return -1;
    const first = i == 0 ? varint() : last + <i64>uvarint();
    last = first + <i64>uvarint();
    place = i == 0 ? <i64>uvarint() : place + varint();
    if (!isExact(first) || !isExact(last) || place < 0 || !isExact(place)) return -1;
    if (<f64>last < minMs || <f64>first > maxMs) continue;
    if (row == capacity) return -1;
    store<f64>(columns + (<usize>row << 3), <f64>first);
    store<f64>(lasts + (<usize>row << 3), <f64>last);
    store<u32>(segments + (<usize>row << 2), <u32>(place >>> 32));
    store<u32>(offsets + (<usize>row << 2), <u32>place);
    row++;
  }
  return isTooLong || at > end ? -1 : <i32>((symbolCount << 16) | (row - used));
}
