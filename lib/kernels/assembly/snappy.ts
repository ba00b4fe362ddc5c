// Snappy's block format (google/snappy format_description.txt). Twin: the npm package snappyjs, in the tests.

const HASH_BITS = 14;
/** Positions of four-byte sequences in the current fragment, u16 each. */
const TABLE = memory.data(2 << 14, 16);
/** Matches reach back within one fragment, so an offset fits two bytes. */
const FRAGMENT_BYTES = 65536;
/** No match is begun this close to the end, so that eight bytes can be read. */
const MARGIN_BYTES = 15;

// @ts-ignore: decorator
@inline
function hash(word: u32): u32 {
  return (word * 0x1e35a7bd) >>> (32 - HASH_BITS);
}

function putLiteral(out: usize, from: usize, length: u32): usize {
  if (length == 0) return out;
  const n = length - 1;
  if (n < 60) {
    store<u8>(out++, <u8>(n << 2));
  } else if (n < 256) {
    store<u8>(out, 60 << 2);
    store<u8>(out, <u8>n, 1);
    out += 2;
  } else {
    store<u8>(out, 61 << 2);
    store<u16>(out, <u16>n, 1);
    out += 3;
  }
  memory.copy(out, from, length);
  return out + length;
}

function putCopy(out: usize, offset: u32, length: u32): usize {
  while (length >= 68) {
    store<u8>(out, (63 << 2) | 2);
    store<u16>(out, <u16>offset, 1);
    out += 3;
    length -= 64;
  }
  if (length > 64) {
    store<u8>(out, (59 << 2) | 2);
    store<u16>(out, <u16>offset, 1);
    out += 3;
    length -= 60;
  }
  if (length >= 12 || offset >= 2048) {
    store<u8>(out, <u8>(((length - 1) << 2) | 2));
    store<u16>(out, <u16>offset, 1);
    return out + 3;
  }
  store<u8>(out, <u8>(((offset >>> 8) << 5) | ((length - 4) << 2) | 1));
  store<u8>(out, <u8>offset, 1);
  return out + 2;
}

function compressFragment(from: usize, length: u32, out: usize): usize {
  let literal = from;
  const end = from + length;
  if (length > <u32>MARGIN_BYTES) {
    memory.fill(TABLE, 0, 2 << HASH_BITS);
    const last = end - MARGIN_BYTES;
    let at = from + 1;
    let misses: u32 = 32;
    while (at < last) {
      const word = load<u32>(at);
      const slot = TABLE + (hash(word) << 1);
      const candidate = from + <usize>load<u16>(slot);
      store<u16>(slot, <u16>(at - from));
      if (load<u32>(candidate) != word || candidate >= at) {
        // Step faster the longer nothing repeats.
        at += misses++ >>> 5;
        continue;
      }
      misses = 32;
      out = putLiteral(out, literal, <u32>(at - literal));
      let matched: u32 = 4;
      while (at + matched + 8 <= end) {
        const differing = load<u64>(at + matched) ^ load<u64>(candidate + matched);
        if (differing != 0) {
          matched += <u32>(ctz<u64>(differing) >>> 3);
          break;
        }
        matched += 8;
      }
      out = putCopy(out, <u32>(at - candidate), matched);
      at += matched;
      literal = at;
      if (at < last) store<u16>(TABLE + (hash(load<u32>(at - 1)) << 1), <u16>(at - 1 - from));
    }
  }
  return putLiteral(out, literal, <u32>(end - literal));
}

/** Compresses `length` bytes to `out`, which needs room for 32 + length + length / 6. @returns the compressed length */
export function snappyCompress(from: usize, length: u32, out: usize): u32 {
  const start = out;
  let rest = length;
  while (rest >= 0x80) {
    store<u8>(out++, <u8>rest | 0x80);
    rest >>>= 7;
  }
  store<u8>(out++, <u8>rest);
  for (let done: u32 = 0; done < length; done += FRAGMENT_BYTES) {
    out = compressFragment(from + done, min<u32>(FRAGMENT_BYTES, length - done), out);
  }
  return <u32>(out - start);
}

/** The length a compressed block says it has uncompressed, or -1 when it does not begin with one below 2^31. */
export function snappyLength(from: usize, length: u32): i32 {
  let size: u64 = 0;
  for (let i: u32 = 0; i < min<u32>(length, 5); i++) {
    const byte = <u64>load<u8>(from + i);
    size |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return size > 0x7fffffff ? -1 : <i32>size;
  }
  return -1;
}

/** Decompresses a whole block to `out`, which has room for `size` = its snappyLength. @returns `size`, or -1 when damaged */
export function snappyDecompress(from: usize, length: u32, out: usize, size: u32): i32 {
  const end = from + length;
  const outStart = out;
  const outEnd = out + size;
  while (from < end && load<u8>(from++) >= 0x80) {}
  while (from < end) {
    const tag = <u32>load<u8>(from++);
    if ((tag & 3) == 0) {
      let count = (tag >>> 2) + 1;
      if (count > 60) {
        const extra = count - 60;
        if (from + extra > end) return -1;
        count = 0;
        for (let i: u32 = 0; i < extra; i++) count |= <u32>load<u8>(from + i) << (8 * i);
        count += 1;
        from += extra;
      }
      if (count == 0 || <u64>from + <u64>count > <u64>end || <u64>out + <u64>count > <u64>outEnd) return -1;
      memory.copy(out, from, count);
      from += count;
      out += count;
    } else {
      let count: u32;
      let offset: u32;
      if ((tag & 3) == 1) {
        if (from >= end) return -1;
        count = ((tag >>> 2) & 7) + 4;
        offset = ((tag >>> 5) << 8) | <u32>load<u8>(from++);
      } else {
        const extra: u32 = (tag & 3) == 2 ? 2 : 4;
        if (from + extra > end) return -1;
        count = (tag >>> 2) + 1;
        offset = extra == 2 ? <u32>load<u16>(from) : load<u32>(from);
        from += extra;
      }
      if (offset == 0 || offset > <u32>(out - outStart) || out + count > outEnd) return -1;
      if (offset >= count) {
        memory.copy(out, out - offset, count);
        out += count;
      } else {
        // Overlapping: the copy repeats what it has just written.
        for (const stop = out + count; out < stop; out++) store<u8>(out, load<u8>(out - offset));
      }
    }
  }
  return out == outEnd ? <i32>size : -1;
}
