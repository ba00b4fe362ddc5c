import { type Chunk, ChunkDecoder, Encoding, encodeSamples } from '../chunk/index.ts';
import type { Kernels } from '../kernels/index.ts';
import { PromletError, type SampleColumns } from '../model/index.ts';

/** CRC-32C of all of `bytes`, unsigned. */
export type Crc32c = (bytes: Uint8Array) => number;

/** Bytes that go through the kernels at a time where the size of the whole is not known to be small. */
const PIECE_BYTES = 64 << 10;
/** prompb numbers the encodings of `Chunk` as chunkenc does. */
const ENCODINGS: ReadonlySet<number> = new Set(Object.values(Encoding));

/**
 * The kernels on ordinary buffers: input is copied into a scratch block of the shared memory, worked on there, and the
 * result copied out (a memcpy each, small against the work). One codec per thread; nothing is shared between calls.
 */
export interface WireCodec {
  crc32c: Crc32c;
  /**
   * Appends the samples of a chunk within [minMs, maxMs] to `into`.
   * @param encoding prompb `Chunk.Encoding`
   * @throws PromletError `remote/bad-chunk`, `remote/unsupported-chunk`; `into` may hold some of the samples
   */
  decodeChunk(encoding: number, bytes: Uint8Array, minMs: number, maxMs: number, into: SampleColumns): void;
  /** The samples, which rise in time, as chunks; cut as Prometheus cuts them. */
  encodeChunks(samples: SampleColumns): Chunk[];
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
  const decoder = new ChunkDecoder(kernels);

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

    decodeChunk(encoding, bytes, minMs, maxMs, into) {
      if (!isEncoding(encoding)) {
        throw new PromletError('remote/unsupported-chunk', `a chunk of encoding ${encoding}, which is not known`);
      }
      try {
        decoder.decode(encoding, bytes, minMs, maxMs, into);
      } catch (error) {
        if (!(error instanceof PromletError)) throw error;
        throw new PromletError('remote/bad-chunk', error.message, { cause: error });
      }
    },

    encodeChunks(samples) {
      return encodeSamples(kernels, samples, 0, samples.length);
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

function isEncoding(encoding: number): encoding is Encoding {
  return ENCODINGS.has(encoding);
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
