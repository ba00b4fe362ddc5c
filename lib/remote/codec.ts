import { type Kernels, layout } from '../kernels/index.ts';
import { assert, PromletError, type SampleColumns } from '../model/index.ts';
import type { ChunkSink } from './xor-encoder.ts';
import { XorEncoder } from './xor-encoder.ts';

/** CRC-32C of all of `bytes`, unsigned. */
export type Crc32c = (bytes: Uint8Array) => number;

/** Bytes that go through the kernels at a time where the size of the whole is not known to be small. */
const PIECE_BYTES = 64 << 10;
/** The sample count of a chunk is 16 bits wide. */
const MAX_SAMPLES_PER_CHUNK = 65_535;

/**
 * The kernels on ordinary buffers: input is copied into a scratch block of the shared memory, worked on there, and the
 * result copied out (a memcpy each, small against the work). One codec per thread; nothing is shared between calls.
 */
export interface WireCodec {
  crc32c: Crc32c;
  /**
   * Appends all samples of an XOR chunk to `into`.
   * @throws PromletError `remote/bad-chunk`
   */
  decodeXor(chunk: Uint8Array, into: SampleColumns): void;
  /** Cuts the samples, which rise in time, into XOR chunks of about 120 and hands each to `sink`. */
  encodeXor(samples: SampleColumns, sink: ChunkSink): void;
  /** Snappy's block format. The result is a new buffer. */
  snappyCompress(bytes: Uint8Array): Uint8Array;
  /**
   * The result is a new buffer. The length in front is checked against the limit before anything is allocated, and the
   * content must have exactly that length.
   * @param what whose bytes these are, for errors
   * @throws PromletError `remote/bad-snappy`, `remote/too-large`
   */
  snappyDecompress(bytes: Uint8Array, maxBytes: number, what: string): Uint8Array;
}

export function createWireCodec(kernels: Kernels): WireCodec {
  const { arena, wasm } = kernels;
  const input = new ScratchBlock(kernels);
  const output = new ScratchBlock(kernels);
  const encoder = new XorEncoder(kernels);

  return {
    crc32c(bytes) {
      const address = input.reserve(Math.min(bytes.length, PIECE_BYTES));
      let crc = 0;
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        const piece = bytes.subarray(at, at + PIECE_BYTES);
        arena.u8.set(piece, address);
        crc = wasm.crc32c(crc, address, piece.length);
      }
      return crc >>> 0;
    },

    decodeXor(chunk, into) {
      const count = chunk.length < 2 ? -1 : (chunk[0]! << 8) | chunk[1]!;
      assert(count <= MAX_SAMPLES_PER_CHUNK, 'codec: a 16-bit count');
      const from = input.reserve(chunk.length + layout.CHUNK_SLACK * 2);
      const times = output.reserve(Math.max(count, 0) * 16);
      const values = times + Math.max(count, 0) * 8;
      arena.u8.set(chunk, from);
      const decoded = wasm.decodeXor(from, chunk.length, times, values, Math.max(count, 0));
      if (decoded < 0) {
        throw new PromletError(
          'remote/bad-chunk',
          `an XOR chunk of ${chunk.length} bytes that claims ${count} samples`,
        );
      }
      into.reserve(decoded);
      into.timestamps.set(arena.f64.subarray(times >> 3, (times >> 3) + decoded), into.length);
      into.values.set(arena.f64.subarray(values >> 3, (values >> 3) + decoded), into.length);
      into.length += decoded;
    },

    encodeXor(samples, sink) {
      encoder.encode(samples, sink);
    },

    snappyCompress(bytes) {
      const from = input.reserve(bytes.length);
      const to = output.reserve(32 + bytes.length + Math.ceil(bytes.length / 6));
      arena.u8.set(bytes, from);
      const length = wasm.snappyCompress(from, bytes.length, to);
      return arena.u8.slice(to, to + length);
    },

    snappyDecompress(bytes, maxBytes, what) {
      const from = input.reserve(bytes.length);
      arena.u8.set(bytes, from);
      const length = wasm.snappyLength(from, bytes.length);
      if (length > maxBytes) {
        throw new PromletError(
          'remote/too-large',
          `${what}: ${length} bytes after decompression, the limit is ${maxBytes}`,
        );
      }
      // The densest element copies 64 bytes in 3: a larger claim is false, and nothing need be allocated for it.
      const isPossible = length >= 0 && length <= bytes.length * 22;
      const to = isPossible ? output.reserve(length) : 0;
      if (!isPossible || wasm.snappyDecompress(from, bytes.length, to, length) !== length) {
        throw new PromletError('remote/bad-snappy', `${what}: ${bytes.length} bytes that are not valid snappy`);
      }
      return arena.u8.slice(to, to + length);
    },
  };
}

/** A block larger than this is given back as soon as less is asked for: the arena is the head's too. */
const KEPT_BYTES = 1 << 20;

/** A block of the arena that grows when more is asked for. */
class ScratchBlock {
  readonly #kernels: Kernels;
  #address = 0;
  #sizeBytes = 0;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /** @returns the address of at least `sizeBytes`, contents undefined, valid until the next call */
  reserve(sizeBytes: number): number {
    const isOversized = this.#sizeBytes > KEPT_BYTES && sizeBytes <= KEPT_BYTES;
    if (sizeBytes > this.#sizeBytes || this.#sizeBytes === 0 || isOversized) {
      const { arena } = this.#kernels;
      if (this.#sizeBytes > 0) arena.free(this.#address, this.#sizeBytes);
      this.#sizeBytes = arena.capacityOf(Math.max(sizeBytes, 4096));
      this.#address = arena.allocate(this.#sizeBytes);
    }
    return this.#address;
  }
}
