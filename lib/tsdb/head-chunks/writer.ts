import type { Clock, FileSystem, Logger } from '../../env/index.ts';
import { type Kernels, Scratch } from '../../kernels/index.ts';
import { assert, errorMessage, PromletError } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import { AppendFiles } from '../append-files.ts';
import type { Chunk } from '../../chunk/index.ts';
import {
  CHUNK_ENCODING,
  CHUNK_LENGTH,
  CHUNK_MAX_TIME,
  CHUNK_MIN_TIME,
  CHUNK_REF,
  CRC_BYTES,
  FILE_HEADER_BYTES,
  fileHeader,
  headChunkFileName,
  MAX_CHUNK_OVERHEAD_BYTES,
  MAX_FILE_BYTES,
  OUT_OF_ORDER_FLAG,
} from './format.ts';

const TWO_32 = 2 ** 32;
/** What a batch may grow the buffer to for good. */
const KEPT_BUFFER_BYTES = 1 << 20;

export interface HeadChunkWriterOptions {
  /** `chunks_head/` of a data directory. */
  readonly dir: string;
  /** Number of the file to create first; `loadHeadChunks` says which. */
  readonly nextFile: number;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly kernels: Kernels;
  readonly fsyncIntervalMs: number;
  /** Default 128 MiB. */
  readonly maxFileBytes?: number;
}

/** Where a batch of chunks lies: add a chunk's offset in the batch to `offsetBytes`. */
export interface BatchPosition {
  readonly file: number;
  readonly offsetBytes: number;
}

/**
 * Appends completed chunks to `chunks_head/` (`ChunkDiskMapper.WriteChunk` of tsdb/chunks/head_chunks.go). Chunks are
 * collected with `add` and written in one piece by `flush`; every opening of the database starts a new file.
 */
export class HeadChunkWriter {
  readonly #kernels: Kernels;
  readonly #files: AppendFiles;
  readonly #maxFileBytes: number;
  readonly #batch: Scratch;
  #batchBytes = 0;
  #cut = false;
  writeFailures = 0;

  constructor(options: HeadChunkWriterOptions) {
    this.#kernels = options.kernels;
    this.#maxFileBytes = options.maxFileBytes ?? MAX_FILE_BYTES;
    this.#batch = new Scratch(options.kernels.arena);
    this.#files = new AppendFiles(
      {
        ...options,
        nameOf: headChunkFileName,
        header: fileHeader(),
        durableInOrder: true,
        what: 'head chunk file',
        code: 'storage/head-chunk-write',
      },
      options.nextFile,
    );
  }

  /** Number of the file that grows; one below the first while nothing was written. */
  get file(): number {
    return this.#files.index;
  }

  /** Bytes collected since the last `flush`; about a megabyte makes a good batch. */
  get batchBytes(): number {
    return this.#batchBytes;
  }

  /** Adds a chunk to the batch; its bytes are copied. @returns its offset in the batch */
  add(ref: SeriesRef, chunk: Chunk, outOfOrder: boolean): number {
    const { arena, wasm } = this.#kernels;
    const { bytes } = chunk;
    const offset = this.#batchBytes;
    const block = this.#batch.grow(offset + MAX_CHUNK_OVERHEAD_BYTES + bytes.length, offset);
    const { u8 } = arena;
    const start = block + offset;
    putInt64(u8, start + CHUNK_REF, ref);
    putInt64(u8, start + CHUNK_MIN_TIME, chunk.minTimeMs);
    putInt64(u8, start + CHUNK_MAX_TIME, chunk.maxTimeMs);
    u8[start + CHUNK_ENCODING] = chunk.encoding | (outOfOrder ? OUT_OF_ORDER_FLAG : 0);
    let at = start + CHUNK_LENGTH;
    let rest = bytes.length;
    for (; rest >= 0x80; rest >>>= 7) u8[at++] = 0x80 | rest;
    u8[at++] = rest;
    u8.set(bytes, at);
    at += bytes.length;
    putUint32(u8, at, wasm.crc32c(0, start, at - start));
    this.#batchBytes = at + CRC_BYTES - block;
    return offset;
  }

  /**
   * Writes the batch in one piece and begins an empty one. Survives `kill -9` when it returns.
   * @throws PromletError `storage/head-chunk-write`: none of its chunks is on file, and the batch is gone
   */
  flush(): BatchPosition {
    const files = this.#files;
    const length = this.#batchBytes;
    assert(length > 0, 'head chunks: an empty batch');
    assert(length <= this.#maxFileBytes - FILE_HEADER_BYTES, 'head chunks: a batch above the size of a file');
    this.#batchBytes = 0;
    try {
      files.prepare();
      if (files.endBytes > FILE_HEADER_BYTES && (this.#cut || files.endBytes + length > this.#maxFileBytes)) {
        files.roll();
      }
      this.#cut = false;
      const offsetBytes = files.endBytes;
      files.append(this.#kernels.arena.u8.subarray(this.#batch.address, this.#batch.address + length));
      return { file: files.index, offsetBytes };
    } catch (cause) {
      this.writeFailures++;
      if (cause instanceof PromletError) throw cause;
      throw new PromletError(
        'storage/head-chunk-write',
        `cannot write to head chunk file ${headChunkFileName(files.index)}: ${errorMessage(cause)}`,
        { cause },
      );
    } finally {
      if (this.#batch.capacity > KEPT_BUFFER_BYTES) this.#batch.release();
    }
  }

  /** Lets the next batch begin a new file, so that the one that grows can be deleted in its turn (`CutNewFile`). */
  cut(): void {
    this.#cut = true;
  }

  /** Fsyncs what is written and closes; a batch that was not flushed is lost. */
  async close(): Promise<void> {
    await this.#files.close();
    this.#batch.release();
  }
}

function putInt64(u8: Uint8Array, at: number, value: number): void {
  putUint32(u8, at, Math.floor(value / TWO_32));
  putUint32(u8, at + 4, value);
}

/** The lowest 32 bits of an integer. */
function putUint32(u8: Uint8Array, at: number, value: number): void {
  const bits = value | 0;
  u8[at] = bits >>> 24;
  u8[at + 1] = bits >>> 16;
  u8[at + 2] = bits >>> 8;
  u8[at + 3] = bits;
}
