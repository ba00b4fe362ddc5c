// The samples record of the WAL (tsdb/record/record.go), encoded from and decoded to columns. Twin: ../twins/records.ts.

/** Record types. */
const SAMPLES: u8 = 2;
const SAMPLES_V2: u8 = 11;
const NO_START_TIME: u8 = 0;
const SAME_START_TIME: u8 = 1;

function putVarint(at: usize, value: i64): usize {
  let rest = ((<u64>value) << 1) ^ (<u64>(value >> 63));
  while (rest >= 0x80) {
    store<u8>(at++, (<u8>rest) | 0x80);
    rest >>>= 7;
  }
  store<u8>(at++, <u8>rest);
  return at;
}

/**
 * Writes a samples record (type 2) of `count` samples at `out`; at most 17 + 23 bytes a sample.
 * @returns its length
 */
export function encodeSamples(refs: usize, times: usize, values: usize, count: u32, out: usize): u32 {
  let at = out;
  store<u8>(at++, SAMPLES);
  if (count == 0) return 1;
  const baseRef = <i64>load<u32>(refs);
  const baseTime = <i64>load<f64>(times);
  store<u64>(at, bswap<u64>(<u64>baseRef));
  store<u64>(at, bswap<u64>(<u64>baseTime), 8);
  at += 16;
  for (let i: u32 = 0; i < count; i++) {
    at = putVarint(at, <i64>load<u32>(refs + (i << 2)) - baseRef);
    at = putVarint(at, <i64>load<f64>(times + (i << 3)) - baseTime);
    store<u64>(at, bswap<u64>(load<u64>(values + (i << 3))));
    at += 8;
  }
  return <u32>(at - out);
}

/** Where the varint reader stands; `failed` once it ran past `end`. */
let cursor: usize = 0;
let limit: usize = 0;
let failed: bool = false;

function takeVarint(): i64 {
  let raw: u64 = 0;
  let shift: u64 = 0;
  while (cursor < limit && shift <= 63) {
    const byte = <u64>load<u8>(cursor++);
    raw |= (byte & 0x7f) << shift;
    if (byte < 0x80) return (<i64>(raw >>> 1)) ^ -(<i64>(raw & 1));
    shift += 7;
  }
  failed = true;
  return 0;
}

/**
 * Decodes a samples record (type 2, or 11 without its start times) to columns with room for `capacity` samples.
 * @returns the number of samples; -1 when the record is malformed, -2 when a ref is not in 1..2^32-1
 */
export function decodeSamples(
  record: usize,
  length: u32,
  refs: usize,
  times: usize,
  values: usize,
  capacity: u32,
): i32 {
  if (length == 0) return -1;
  const type = load<u8>(record);
  cursor = record + 1;
  limit = record + length;
  failed = false;
  if (type != SAMPLES && type != SAMPLES_V2) return -1;
  if (length == 1) return 0;
  const second = type == SAMPLES_V2;
  let ref: i64 = 0;
  let baseTime: i64 = 0;
  if (!second) {
    if (cursor + 16 > limit) return -1;
    ref = <i64>bswap<u64>(load<u64>(cursor));
    baseTime = <i64>bswap<u64>(load<u64>(cursor, 8));
    cursor += 16;
  }
  const baseRef = ref;
  let count: u32 = 0;
  while (cursor < limit) {
    let time: i64;
    if (!second) {
      ref = baseRef + takeVarint();
      time = baseTime + takeVarint();
    } else {
      // Refs are deltas to the sample before, times to the first; a marker says which start time there is.
      ref += takeVarint();
      time = baseTime + takeVarint();
      if (count == 0) {
        baseTime = time;
        takeVarint();
      } else {
        if (cursor >= limit) return -1;
        const marker = load<u8>(cursor++);
        if (marker != NO_START_TIME && marker != SAME_START_TIME) takeVarint();
      }
    }
    if (failed || cursor + 8 > limit || count >= capacity) return -1;
    if (ref <= 0 || ref > 0xffffffff) return -2;
    store<u32>(refs + (count << 2), <u32>ref);
    store<f64>(times + (count << 3), <f64>time);
    store<u64>(values + (count << 3), bswap<u64>(load<u64>(cursor)));
    cursor += 8;
    count++;
  }
  return <i32>count;
}
