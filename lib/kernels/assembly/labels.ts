// Looking up label sets by their bytes, as a WAL series record has them (layout in ./layout.ts), and thinning out postings.
// Twin: ../twins/labels.ts.
import {
  HEAD_HASH_KEY,
  HEAD_PAIR_TABLE,
  HEAD_SERIES_TABLE,
  LOOKUP_CONSUMED,
  LOOKUP_COUNT,
  LOOKUP_DETAIL_SIZE,
  LOOKUP_HASH,
  LOOKUP_MALFORMED,
  LOOKUP_NOT_CANONICAL,
  LOOKUP_OK,
  LOOKUP_PAIRS,
  LOOKUP_STATUS,
  LOOKUP_TOO_MANY,
  HEAD_DIRECTORY,
  HEAD_PAGE_COUNT,
  PAIR_TEXT,
  PAIR_TEXT_LENGTH,
  SEGMENT_SLOTS,
  SERIES_LABELS,
  SLOT_SIZE,
  TABLE_DEPTH,
  TABLE_DIRECTORY,
  TABLE_SLOTS,
} from './layout';
import { recordOf } from './xor';

/**
 * HalfSipHash-1-3 (32 bits) of `length` bytes. Keyed, so that nobody outside can choose labels that collide. Reads up to
 * three bytes behind the range.
 */
export function hashBytes(key0: u32, key1: u32, at: usize, length: u32): u32 {
  let v0 = key0;
  let v1 = key1;
  let v2: u32 = 0x6c796765 ^ key0;
  let v3: u32 = 0x74656462 ^ key1;
  const end = at + (length & ~3);
  // Whole words, then the rest with the length above it, then three rounds to finish.
  for (let left: u32 = (length >>> 2) + 4; left > 0; left--) {
    let word: u32 = 0;
    if (at < end) {
      word = load<u32>(at);
      at += 4;
    } else if (left == 4) {
      const rest = length & 3;
      word = (length << 24) | (load<u32>(at) & ((<u32>1 << (rest << 3)) - 1));
    } else if (left == 3) {
      v2 ^= 0xff;
    }
    v3 ^= word;
    v0 += v1;
    v1 = rotl<u32>(v1, 5) ^ v0;
    v0 = rotl<u32>(v0, 16);
    v2 += v3;
    v3 = rotl<u32>(v3, 8) ^ v2;
    v0 += v3;
    v3 = rotl<u32>(v3, 7) ^ v0;
    v2 += v1;
    v1 = rotl<u32>(v1, 13) ^ v2;
    v2 = rotl<u32>(v2, 16);
    v0 ^= word;
  }
  return v1 ^ v3;
}

export function sameBytes(a: usize, b: usize, length: u32): bool {
  const end = a + length;
  while (a + 8 <= end) {
    if (load<u64>(a) != load<u64>(b)) return false;
    a += 8;
    b += 8;
  }
  while (a < end) if (load<u8>(a++) != load<u8>(b++)) return false;
  return true;
}

/** Whether the name at `a` sorts before the one at `b`. */
function isBefore(a: usize, aLength: u32, b: usize, bLength: u32): bool {
  const shared = aLength < bLength ? aLength : bLength;
  for (let i: u32 = 0; i < shared; i++) {
    const x = load<u8>(a + i);
    const y = load<u8>(b + i);
    if (x != y) return x < y;
  }
  return aLength < bLength;
}

// @ts-ignore: decorator
@inline
function segmentOf(table: usize, hash: u32): usize {
  // In two steps, because a shift by 32 is one by 0.
  const index = (hash >>> 1) >>> (31 - load<u32>(table, TABLE_DEPTH));
  return <usize>load<u32>(<usize>load<u32>(table, TABLE_DIRECTORY) + (index << 2));
}

function findPair(root: usize, hash: u32, text: usize, length: u32): u32 {
  const slots = segmentOf(root + HEAD_PAIR_TABLE, hash) + SEGMENT_SLOTS;
  let slot = hash % TABLE_SLOTS;
  while (true) {
    const pair = load<u32>(slots + slot * SLOT_SIZE, 4);
    if (pair == 0) return 0;
    if (load<u32>(slots + slot * SLOT_SIZE) == hash) {
      if (load<u32>(pair, PAIR_TEXT_LENGTH) == length && sameBytes(<usize>pair + PAIR_TEXT, text, length)) return pair;
    }
    if (++slot == TABLE_SLOTS) slot = 0;
  }
}

function findSeries(root: usize, hash: u32, pairs: usize, count: u32): u32 {
  const directory = <usize>load<u32>(root, HEAD_DIRECTORY);
  const pageCount = load<u32>(root, HEAD_PAGE_COUNT);
  const slots = segmentOf(root + HEAD_SERIES_TABLE, hash) + SEGMENT_SLOTS;
  let slot = hash % TABLE_SLOTS;
  while (true) {
    const ref = load<u32>(slots + slot * SLOT_SIZE, 4);
    if (ref == 0) return 0;
    if (load<u32>(slots + slot * SLOT_SIZE) == hash) {
      const labels = <usize>load<u32>(recordOf(directory, pageCount, ref), SERIES_LABELS);
      if (load<u32>(labels) == count && sameBytes(labels + 4, pairs, count << 2)) return ref;
    }
    if (++slot == TABLE_SLOTS) slot = 0;
  }
}

// Where the uvarint read last ended, and whether it was the shortest form.
let uvarintEnd: usize = 0;
let uvarintShortest: bool = true;

/** @returns the value, u32.MAX when it is cut off or beyond 2^31 */
function readUvarint(at: usize, end: usize): u32 {
  let value: u32 = 0;
  let shift: u32 = 0;
  while (at < end && shift < 31) {
    const byte = <u32>load<u8>(at++);
    if (shift == 28 && byte > 7) break;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      uvarintEnd = at;
      uvarintShortest = byte != 0 || shift == 0;
      return value;
    }
    shift += 7;
  }
  return u32.MAX_VALUE;
}

/**
 * Finds the series with the labels at `encoded` (at most `length` bytes): uvarint count, then per label uvarint length and
 * bytes of name and value. What was found on the way is written to `out` (LOOKUP_…), which has room for `capacity` labels.
 * @returns the ref, 0 when there is no such series
 */
export function lookupLabels(root: usize, encoded: usize, length: u32, out: usize, capacity: u32): u32 {
  const end = encoded + length;
  const key0 = load<u32>(root, HEAD_HASH_KEY);
  const key1 = load<u32>(root, HEAD_HASH_KEY + 4);
  store<u32>(out, LOOKUP_MALFORMED, LOOKUP_STATUS);
  const count = readUvarint(encoded, end);
  // A label takes at least two bytes.
  if (count > length >>> 1) return 0;
  store<u32>(out, count, LOOKUP_COUNT);
  if (count > capacity) {
    store<u32>(out, LOOKUP_TOO_MANY, LOOKUP_STATUS);
    return 0;
  }
  let canonical = uvarintShortest;
  let at = uvarintEnd;
  let known = true;
  let before: usize = 0;
  let beforeLength: u32 = 0;
  const pairs = out + LOOKUP_PAIRS;
  for (let i: u32 = 0; i < count; i++) {
    const text = at;
    const nameLength = readUvarint(at, end);
    if (nameLength == u32.MAX_VALUE || nameLength > <u32>(end - uvarintEnd)) return 0;
    const name = uvarintEnd;
    canonical = canonical && uvarintShortest;
    if (i > 0 && canonical) canonical = isBefore(before, beforeLength, name, nameLength);
    before = name;
    beforeLength = nameLength;
    const valueLength = readUvarint(name + nameLength, end);
    if (valueLength == u32.MAX_VALUE || valueLength > <u32>(end - uvarintEnd)) return 0;
    canonical = canonical && uvarintShortest && valueLength > 0;
    at = uvarintEnd + valueLength;
    const textLength = <u32>(at - text);
    const hash = hashBytes(key0, key1, text, textLength);
    const pair = findPair(root, hash, text, textLength);
    known = known && pair != 0;
    store<u32>(pairs + (i << 2), pair);
    const detail = pairs + (capacity << 2) + i * LOOKUP_DETAIL_SIZE;
    store<u32>(detail, hash);
    store<u32>(detail, <u32>(text - encoded), 4);
    store<u32>(detail, textLength, 8);
  }
  store<u32>(out, <u32>(at - encoded), LOOKUP_CONSUMED);
  store<u32>(out, canonical ? LOOKUP_OK : LOOKUP_NOT_CANONICAL, LOOKUP_STATUS);
  if (!known || !canonical) return 0;
  const hash = hashBytes(key0, key1, pairs, count << 2);
  store<u32>(out, hash, LOOKUP_HASH);
  return findSeries(root, hash, pairs, count);
}

/** Copies those of `length` refs that have a record to `out`, which may be where they lie. @returns how many */
export function filterPostings(directory: usize, pageCount: u32, refs: usize, length: u32, out: usize): u32 {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    const ref = load<u32>(refs + (i << 2));
    if (recordOf(directory, pageCount, ref) != 0) store<u32>(out + (kept++ << 2), ref);
  }
  return kept;
}
