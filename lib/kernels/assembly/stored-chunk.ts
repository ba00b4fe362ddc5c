// A chunk as it lies in a segment of a block (tsdb/docs/format/chunks.md): length, encoding, bytes, CRC of the last two.
import { crc32c } from './crc32c';
import { decodeXorWithin } from './xor';

const XOR: u32 = 1;
const CRC_BYTES: u32 = 4;
const MAX_LENGTH_BYTES: u32 = 5;

/**
 * Reads the XOR chunk at `at`, of which `available` bytes are in memory, and decodes its samples within [minMs, maxMs] as
 * `decodeXor` does: all that most chunks need, in one call.
 * @returns how many, or -1 when it has to be looked at closer: it is not all there, of another encoding, or damaged
 */
export function readXorChunk(
  at: usize,
  available: u32,
  minMs: f64,
  maxMs: f64,
  times: usize,
  values: usize,
  capacity: u32,
): i32 {
  let length: u32 = 0;
  let read: u32 = 0;
  while (true) {
    if (read == available || read == MAX_LENGTH_BYTES) return -1;
    const byte = <u32>load<u8>(at + read);
    length |= (byte & 0x7f) << (7 * read++);
    if (byte < 0x80) break;
  }
  const rest = available - read;
  if (length > rest || rest - length < 1 + CRC_BYTES) return -1;
  at += read;
  if (<u32>load<u8>(at) != XOR) return -1;
  if (crc32c(0, at, 1 + length) != bswap<u32>(load<u32>(at + 1 + length))) return -1;
  return decodeXorWithin(at + 1, length, minMs, maxMs, times, values, capacity);
}
