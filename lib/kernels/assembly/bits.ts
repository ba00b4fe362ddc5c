// Bit streams of chunks, highest bit first, as Prometheus tsdb/chunkenc/{bstream,varbit,xor}.go write them. A position
// counts bits from the first byte of the chunk. Every function that moves takes a position and returns the next.
//
// Reading goes up to 9 bytes behind the byte of the position; the caller compares positions with the end afterwards.
// Writing goes through one 64-bit big-endian word at a time: the bits before the position are kept, all behind are
// cleared, so a fresh block needs no zeroing, but 8 bytes of slack.

/** Bits of the stale marker, as Prometheus has them. */
export const STALE_NAN: u64 = 0x7ff0000000000002;
const QUIET_BIT: u64 = 0x0008000000000000;

/** A position behind the end of every chunk: what was read is damaged. */
export const DAMAGED: u32 = 0xffffffff;

/** No XOR window yet; a reader then takes all 64 bits for it, as Prometheus does when it goes on with a chunk it has read. */
export const NO_WINDOW: u8 = 0xff;

/** Engines may quiet the stale marker when a double moves; on disk it has Prometheus's exact bits. */
// @ts-ignore: decorator
@inline
export function exactBits(bits: u64): u64 {
  return (bits & ~QUIET_BIT) == STALE_NAN ? STALE_NAN : bits;
}

// @ts-ignore: decorator
@inline
export function isStale(bits: u64): bool {
  return (bits & ~QUIET_BIT) == STALE_NAN;
}

/** The next bits in the upper 57 (at least) of a word. */
// @ts-ignore: decorator
@inline
export function peek(base: usize, position: u32): u64 {
  return bswap<u64>(load<u64>(base + (position >>> 3))) << (<u64>(position & 7));
}

/** The next 64 bits. */
// @ts-ignore: decorator
@inline
export function peek64(base: usize, position: u32): u64 {
  const at = base + (position >>> 3);
  const used = <u64>(position & 7);
  return (bswap<u64>(load<u64>(at)) << used) | (<u64>load<u8>(at, 8) >>> (8 - used));
}

/** Sizes of a varbit by the ones in front, a byte each: 0, 3, 6, 9, 12, 18, 25 and 56 bits. */
const VARBIT_SIZES: u64 = 0x3819120c09060300;

/** Reads `readVarbitInt` of varbit.go into the i64 at `out`. */
// @ts-ignore: decorator
@inline
export function readVarbit(base: usize, position: u32, out: usize): u32 {
  const word = peek(base, position);
  if (<i64>word < 0) return readVarbitField(base, position, word, out);
  store<i64>(out, 0);
  return position + 1;
}

function readVarbitField(base: usize, position: u32, word: u64, out: usize): u32 {
  const ones = <u32>clz<u64>(~word);
  if (ones < 7) {
    const size = <u32>(VARBIT_SIZES >>> (<u64>(ones << 3))) & 0xff;
    const raw = <i64>((word << (<u64>(ones + 1))) >>> (<u64>(64 - size)));
    store<i64>(out, raw > <i64>1 << (<i64>(size - 1)) ? raw - (<i64>1 << (<i64>size)) : raw);
    return position + ones + 1 + size;
  }
  const wide = peek64(base, position + 8);
  if (ones == 7) {
    const raw = <i64>(wide >>> 8);
    store<i64>(out, raw > <i64>1 << 55 ? raw - (<i64>1 << 56) : raw);
    return position + 64;
  }
  store<u64>(out, wide);
  return position + 72;
}

/** Reads `readVarbitUint` of varbit.go into the u64 at `out`. */
export function readVarbitUint(base: usize, position: u32, out: usize): u32 {
  const word = peek(base, position);
  if (<i64>word >= 0) {
    store<u64>(out, 0);
    return position + 1;
  }
  const ones = <u32>clz<u64>(~word);
  if (ones < 7) {
    const size = <u32>(VARBIT_SIZES >>> (<u64>(ones << 3))) & 0xff;
    store<u64>(out, (word << (<u64>(ones + 1))) >>> (<u64>(64 - size)));
    return position + ones + 1 + size;
  }
  const wide = peek64(base, position + 8);
  store<u64>(out, ones == 7 ? wide >>> 8 : wide);
  return position + (ones == 7 ? 64 : 72);
}

/** Reads a uvarint of encoding/binary into the u64 at `out`; the bytes need not be aligned. */
export function readUvarint(base: usize, position: u32, out: usize): u32 {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 70; shift += 7) {
    const byte = peek(base, position) >>> 56;
    position += 8;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      store<u64>(out, value);
      return position;
    }
  }
  return DAMAGED;
}

/** Reads a zigzag varint of encoding/binary into the i64 at `out`. */
export function readVarint(base: usize, position: u32, out: usize): u32 {
  position = readUvarint(base, position, out);
  const zigzag = load<u64>(out);
  store<i64>(out, <i64>(zigzag >>> 1) ^ -(<i64>(zigzag & 1)));
  return position;
}

/**
 * `xorRead` of xor.go: changes the 64 bits at `value`; `window` holds its leading and trailing zero bits, two u8.
 */
// @ts-ignore: decorator
@inline
export function readXor(base: usize, position: u32, value: usize, window: usize): u32 {
  const word = peek(base, position);
  if (<i64>word >= 0) return position + 1;
  return readXorChange(base, position, word, value, window);
}

function readXorChange(base: usize, position: u32, word: u64, value: usize, window: usize): u32 {
  if (word & (<u64>1 << 62)) return readXorWindow(base, position + 2, value, window);
  return readXorBits(base, position + 2, value, window);
}

/** A new window (5 bits leading, 6 bits significant), then the bits in it. */
export function readXorWindow(base: usize, position: u32, value: usize, window: usize): u32 {
  const word = peek(base, position);
  const leading = <u32>(word >>> 59);
  let significant = <u32>(word >>> 53) & 63;
  if (significant == 0) significant = 64;
  if (leading + significant > 64) return DAMAGED;
  store<u8>(window, <u8>leading);
  store<u8>(window, <u8>(64 - leading - significant), 1);
  return readXorBits(base, position + 11, value, window);
}

/** The bits in the window there is. */
export function readXorBits(base: usize, position: u32, value: usize, window: usize): u32 {
  let leading = <u32>load<u8>(window);
  let trailing = <u32>load<u8>(window, 1);
  if (leading == <u32>NO_WINDOW) {
    leading = trailing = 0;
    store<u16>(window, 0);
  }
  const bits = (peek64(base, position) >>> (<u64>(leading + trailing))) << (<u64>trailing);
  store<u64>(value, load<u64>(value) ^ bits);
  return position + 64 - leading - trailing;
}

/** Writes the low `count` (1..56) bits of `value`; the bits above must be zero. */
// @ts-ignore: decorator
@inline
export function writeBits(base: usize, position: u32, value: u64, count: u32): u32 {
  const at = base + (position >>> 3);
  const used = position & 7;
  const kept = bswap<u64>(load<u64>(at)) & ~(<u64>-1 >>> (<u64>used));
  store<u64>(at, bswap<u64>(kept | (value << (64 - used - count))));
  return position + count;
}

/** Writes the low `count` (1..64) bits of `value`; the bits above must be zero. */
// @ts-ignore: decorator
@inline
export function writeWide(base: usize, position: u32, value: u64, count: u32): u32 {
  if (count <= 56) return writeBits(base, position, value, count);
  position = writeBits(base, position, value >>> 32, count - 32);
  return writeBits(base, position, value & 0xffffffff, 32);
}

export function writeUvarint(base: usize, position: u32, value: u64): u32 {
  while (value >= 0x80) {
    position = writeBits(base, position, (value & 0x7f) | 0x80, 8);
    value >>>= 7;
  }
  return writeBits(base, position, value, 8);
}

/** putVarbitInt of varbit.go. A field of n bits holds -(2^(n-1) - 1) to 2^(n-1). */
export function writeVarbit(base: usize, position: u32, value: i64): u32 {
  if (value == 0) return writeBits(base, position, 0, 1);
  return writeVarbitField(base, position, <u64>value, 65 - <u32>clz<u64>(<u64>(value > 0 ? value - 1 : -value)));
}

/** putVarbitUint of varbit.go. */
export function writeVarbitUint(base: usize, position: u32, value: u64): u32 {
  if (value == 0) return writeBits(base, position, 0, 1);
  return writeVarbitField(base, position, value, 64 - <u32>clz<u64>(value));
}

/** Writes the smallest field with at least `needed` bits, behind the ones that say which. */
function writeVarbitField(base: usize, position: u32, value: u64, needed: u32): u32 {
  if (needed > 56) return writeWide(base, writeBits(base, position, 0xff, 8), value, 64);
  if (needed > 25) return writeBits(base, writeBits(base, position, 0xfe, 8), value & 0xffffffffffffff, 56);
  let ones: u32 = 1;
  let size: u32 = 3;
  if (needed > 18) {
    ones = 6;
    size = 25;
  } else if (needed > 12) {
    ones = 5;
    size = 18;
  } else if (needed > 9) {
    ones = 4;
    size = 12;
  } else if (needed > 6) {
    ones = 3;
    size = 9;
  } else if (needed > 3) {
    ones = 2;
    size = 6;
  }
  const prefix = ((<u64>1 << (<u64>ones)) - 1) << 1;
  const field = value & ((<u64>1 << (<u64>size)) - 1);
  return writeBits(base, position, (prefix << (<u64>size)) | field, ones + 1 + size);
}

/** `xorWrite` of xor.go for `xor`, the old bits against the new; `window` as in `readXor`. */
// @ts-ignore: decorator
@inline
export function writeXor(base: usize, position: u32, xor: u64, window: usize): u32 {
  if (xor == 0) return writeBits(base, position, 0, 1);
  let leading = <u32>clz<u64>(xor);
  const trailing = <u32>ctz<u64>(xor);
  if (leading > 31) leading = 31;
  const windowLeading = <u32>load<u8>(window);
  const windowTrailing = <u32>load<u8>(window, 1);
  if (windowLeading != <u32>NO_WINDOW && leading >= windowLeading && trailing >= windowTrailing) {
    const count = 64 - windowLeading - windowTrailing;
    position = writeBits(base, position, 2, 2);
    return writeWide(base, position, xor >>> (<u64>windowTrailing), count);
  }
  store<u8>(window, <u8>leading);
  store<u8>(window, <u8>trailing, 1);
  const count = 64 - leading - trailing;
  // 64 significant bits are written as 0 in the 6 bits there are.
  position = writeBits(base, position, 0x1800 | (<u64>leading << 6) | <u64>(count & 63), 13);
  return writeWide(base, position, xor >>> (<u64>trailing), count);
}
