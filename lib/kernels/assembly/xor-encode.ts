// Writing XOR chunks, byte for byte those of Prometheus tsdb/chunkenc/xor.go. Twin: ../twins/xor.ts.
import { exactBits, NO_WINDOW, writeBits, writeUvarint, writeWide, writeXor } from './bits';

/**
 * Writes samples of two columns (f64 ms, f64) as one chunk to `out`, which has room for 2 + 19 × count + 8 bytes.
 * `window` is scratch of 2 bytes. @returns the chunk's length
 */
export function encodeXor(times: usize, values: usize, count: u32, out: usize, window: usize): u32 {
  store<u16>(out, bswap<u16>(<u16>count));
  store<u8>(window, NO_WINDOW);
  let position: u32 = 16;
  let lastTime: i64 = 0;
  let lastDelta: i64 = 0;
  let lastValue: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const time = <i64>load<f64>(times + (i << 3));
    const value = exactBits(load<u64>(values + (i << 3)));
    const delta = time - lastTime;
    position = writeSample(out, position, i, time, delta, lastDelta, value, lastValue, window);
    lastTime = time;
    lastDelta = delta;
    lastValue = value;
  }
  return (position + 7) >>> 3;
}

/**
 * Writes sample `index` of a chunk: `delta` from the time before, `lastDelta` between the two before, bits of this value
 * and the one before; `window` as in bits.ts. Takes at most MAX_SAMPLE_BYTES. @returns the position behind it
 */
// @ts-ignore: decorator
@inline
export function writeSample(
  out: usize,
  position: u32,
  index: u32,
  time: i64,
  delta: i64,
  lastDelta: i64,
  value: u64,
  lastValue: u64,
  window: usize,
): u32 {
  if (index == 0) {
    position = writeUvarint(out, position, (<u64>time << 1) ^ <u64>(time >> 63));
    return writeWide(out, position, value, 64);
  }
  position = index == 1 ? writeUvarint(out, position, <u64>delta) : writeDelta(out, position, delta - lastDelta);
  return writeXor(out, position, value ^ lastValue, window);
}

/** The delta of the delta of times. A field of n bits holds -(2^(n-1) - 1) to 2^(n-1). */
// @ts-ignore: decorator
@inline
function writeDelta(out: usize, position: u32, dod: i64): u32 {
  if (dod == 0) return writeBits(out, position, 0, 1);
  if (dod >= -8191 && dod <= 8192) return writeBits(out, position, 0x8000 | (<u64>dod & 0x3fff), 16);
  if (dod >= -65535 && dod <= 65536) return writeBits(out, position, 0xc0000 | (<u64>dod & 0x1ffff), 20);
  if (dod >= -524287 && dod <= 524288) return writeBits(out, position, 0xe00000 | (<u64>dod & 0xfffff), 24);
  return writeWide(out, writeBits(out, position, 0xf, 4), <u64>dod, 64);
}
