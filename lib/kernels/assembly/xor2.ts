// XOR2 chunks of Prometheus tsdb/chunkenc/xor2.go, read only; start timestamps are passed over. Twin: ../twins/xor2.ts.
import {
  isStale,
  NO_WINDOW,
  peek,
  peek64,
  readUvarint,
  readVarbit,
  readVarint,
  readXorBits,
  readXorWindow,
  STALE_NAN,
} from './bits';

// Scratch of XOR2_SCRATCH bytes.
/** u64: what a reader hands out. */
const FIELD = 0;
/** Bits of the newest value that is not stale: the next one is told by its difference to it. */
const BASELINE = 8;
/** u8 leading, u8 trailing zero bits of the XOR window. */
const WINDOW = 16;

/**
 * Decodes a whole chunk of `length` bytes (header included) into two columns: f64 ms and f64 bits. Reads up to 64 bytes
 * behind the chunk, which must lie in the memory. `capacity` is the room of the columns, in samples; `scratch` 24 bytes.
 * @returns the number of samples, or -1 when the bytes are no such chunk (too short, too many samples for the columns)
 */
export function decodeXor2(
  chunk: usize,
  length: u32,
  times: usize,
  values: usize,
  capacity: u32,
  scratch: usize,
): i32 {
  if (length < 3) return -1;
  const total = <u32>bswap<u16>(load<u16>(chunk));
  if (total > capacity) return -1;
  const end = length << 3;
  const starts = <u32>load<u8>(chunk, 2);
  /** The sample from which on a start time follows each; 0 for none. */
  const startsFrom = starts & 0x7f;
  store<u64>(scratch, 0, BASELINE);
  store<u8>(scratch, NO_WINDOW, WINDOW);
  const baseline = scratch + BASELINE;
  const window = scratch + WINDOW;

  let position: u32 = 24;
  let time: i64 = 0;
  let delta: i64 = 0;
  for (let i: u32 = 0; i < total; i++) {
    let stale = false;
    if (i == 0) {
      position = readVarint(chunk, position, scratch + FIELD);
      if (position > end || position + 64 > end) return -1;
      time = load<i64>(scratch, FIELD);
      const value = peek64(chunk, position);
      position += 64;
      stale = isStale(value);
      if (!stale) store<u64>(baseline, value);
      if (starts & 0x80) position = readVarint(chunk, position, scratch + FIELD);
    } else {
      const word = peek(chunk, position);
      if (i == 1) {
        position = readUvarint(chunk, position, scratch + FIELD);
        if (position > end) return -1;
        delta = load<i64>(scratch, FIELD);
        position = readChange(chunk, position, baseline, window);
      } else if (<i64>word >= 0) {
        position += 1;
      } else {
        const ones = <u32>clz<u64>(~word);
        if (ones == 1) {
          // The time is as expected, the value is not: one bit tells whether its window is new.
          position =
            word & (<u64>1 << 61)
              ? readXorWindow(chunk, position + 3, baseline, window)
              : readXorBits(chunk, position + 3, baseline, window);
        } else if (ones <= 4) {
          if (ones == 2) {
            delta += (<i64>(word << 3)) >> 51;
            position += 16;
          } else if (ones == 3) {
            delta += (<i64>(word << 4)) >> 44;
            position += 24;
          } else {
            delta += <i64>peek64(chunk, position + 5);
            position += 69;
          }
          if (position > end) return -1;
          position = readChange(chunk, position, baseline, window);
        } else {
          position += 5;
          stale = true;
        }
      }
      time += delta;
      if (position & STALE) {
        position &= ~STALE;
        stale = true;
      }
      if (startsFrom > 0 && i >= startsFrom) {
        if (position > end) return -1;
        position = readVarbit(chunk, position, scratch + FIELD);
      }
    }
    if (position > end) return -1;
    store<f64>(times + (i << 3), <f64>time);
    store<u64>(values + (i << 3), stale ? STALE_NAN : load<u64>(baseline));
  }
  return <i32>total;
}

/** Set in the position that `readChange` returns when the sample is a stale marker. */
const STALE: u32 = 0x80000000;

/** The value where the control bits tell nothing of it: 0 unchanged, 10 in the window, 110 in a new one, 111 stale. */
function readChange(chunk: usize, position: u32, baseline: usize, window: usize): u32 {
  const word = peek(chunk, position);
  if (<i64>word >= 0) return position + 1;
  const ones = <u32>clz<u64>(~word);
  if (ones == 1) return readXorBits(chunk, position + 2, baseline, window);
  if (ones == 2) return readXorWindow(chunk, position + 3, baseline, window);
  return (position + 3) | STALE;
}
