import type { SharedArena } from '../../kernels/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import { Encoding } from '../../chunk/index.ts';
import {
  CHUNK_ENCODING,
  CHUNK_LENGTH,
  CHUNK_MAX_TIME,
  CHUNK_MIN_TIME,
  CHUNK_REF,
  MAX_LENGTH_BYTES,
  OUT_OF_ORDER_FLAG,
} from './format.ts';

const TWO_32 = 2 ** 32;
const KNOWN_ENCODINGS: ReadonlySet<number> = new Set(Object.values(Encoding));

/** What lies before a chunk's data. One object is used for all chunks that are read. */
export class ChunkHeader {
  ref: SeriesRef = 0;
  minTimeMs = 0;
  maxTimeMs = 0;
  encoding: Encoding = Encoding.xor;
  outOfOrder = false;
  /** From the chunk's first byte to its data. */
  dataOffset = 0;
  dataBytes = 0;

  /** Reads the header at `address`, where at least CHUNK_LENGTH + MAX_LENGTH_BYTES can be read. */
  read({ u8 }: SharedArena, address: number): void {
    this.ref = uint32(u8, address + CHUNK_REF) * TWO_32 + uint32(u8, address + CHUNK_REF + 4);
    this.minTimeMs = int64(u8, address + CHUNK_MIN_TIME);
    this.maxTimeMs = int64(u8, address + CHUNK_MAX_TIME);
    const encoding = u8[address + CHUNK_ENCODING]!;
    this.encoding = (encoding & ~OUT_OF_ORDER_FLAG) as Encoding;
    this.outOfOrder = (encoding & OUT_OF_ORDER_FLAG) !== 0;
    let length = 0;
    let at = CHUNK_LENGTH;
    for (let scale = 1; ; scale *= 128) {
      const byte = u8[address + at++]!;
      length += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      if (at === CHUNK_LENGTH + MAX_LENGTH_BYTES) {
        length = Infinity;
        break;
      }
    }
    this.dataOffset = at;
    this.dataBytes = length;
  }

  /** Preallocated space begins here, not a chunk. */
  get isEnd(): boolean {
    return this.ref === 0 && this.minTimeMs === 0 && this.maxTimeMs === 0;
  }

  /** What cannot be in a chunk that was written whole; undefined when all can. The checksum is not looked at. */
  get fault(): string | undefined {
    if (this.ref === 0 || this.ref >= TWO_32) return 'a series ref outside 1..2^32-1';
    if (!KNOWN_ENCODINGS.has(this.encoding)) return `the unknown encoding ${this.encoding}`;
    if (!Number.isSafeInteger(this.minTimeMs) || !Number.isSafeInteger(this.maxTimeMs)) return 'times beyond 2^53 ms';
    if (this.minTimeMs > this.maxTimeMs) return 'times that run backwards';
    return this.dataBytes < 2 ? 'too little data' : undefined;
  }
}

export function uint32(u8: Uint8Array, at: number): number {
  return ((u8[at]! << 24) | (u8[at + 1]! << 16) | (u8[at + 2]! << 8) | u8[at + 3]!) >>> 0;
}

function int64(u8: Uint8Array, at: number): number {
  return (uint32(u8, at) | 0) * TWO_32 + uint32(u8, at + 4);
}
