import { join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import { type Kernels, Scratch } from '../../kernels/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import type { Chunk } from '../../chunk/index.ts';
import { syncDirectory } from '../directory.ts';
import { ChunkHeader, uint32 } from './chunk-header.ts';
import { CHUNK_LENGTH, CRC_BYTES, headChunkFileName, headChunkFileNumber, MAX_LENGTH_BYTES } from './format.ts';

/** Read at once; most chunks are whole in it. */
const FIRST_READ_BYTES = 1024;
const MIN_READ_BYTES = CHUNK_LENGTH + MAX_LENGTH_BYTES;

/** A chunk as it lies in `chunks_head/`. */
export interface HeadChunk extends Chunk {
  readonly ref: SeriesRef;
  readonly outOfOrder: boolean;
}

export interface HeadChunkFilesOptions {
  /** `chunks_head/` of a data directory. */
  readonly dir: string;
  readonly fileSystem: FileSystem;
  /** Those of the thread: chunks are read into their arena. */
  readonly kernels: Kernels;
}

/**
 * Reads single chunks of `chunks_head/` by their place. Each thread has its own: a place is good once the writer has
 * flushed it, until its file is truncated away. Files are opened when they are first read and stay open.
 */
export class HeadChunkFiles {
  readonly #options: HeadChunkFilesOptions;
  readonly #open = new Map<number, number>();
  readonly #block: Scratch;
  readonly #header = new ChunkHeader();

  constructor(options: HeadChunkFilesOptions) {
    this.#options = options;
    this.#block = new Scratch(options.kernels.arena);
  }

  /**
   * Reads a chunk. Its bytes lie in the arena and are valid until the next read.
   * @throws PromletError `storage/head-chunk` when the file cannot be read or there is no such chunk
   */
  read(file: number, offsetBytes: number): HeadChunk {
    const { fileSystem } = this.#options;
    const { arena, wasm } = this.#options.kernels;
    const header = this.#header;
    try {
      const descriptor = this.#descriptor(file);
      let block = this.#block.reserve(FIRST_READ_BYTES);
      let size = this.#fill(descriptor, block, 0, FIRST_READ_BYTES, offsetBytes);
      if (size < MIN_READ_BYTES) throw new Error('the file ends before it');
      header.read(arena, block);
      const end = header.dataOffset + header.dataBytes;
      if (end + CRC_BYTES > size) {
        const available = fileSystem.fstatSync(descriptor).size - offsetBytes;
        if (!(end + CRC_BYTES <= available)) throw new Error('the file ends within it');
        block = this.#block.grow(end + CRC_BYTES, size);
        size += this.#fill(descriptor, block, size, end + CRC_BYTES - size, offsetBytes);
        if (size < end + CRC_BYTES) throw new Error('the file ends within it');
      }
      if (wasm.crc32c(0, block, end) >>> 0 !== uint32(arena.u8, block + end)) throw new Error('a wrong checksum');
      const { fault } = header;
      if (fault !== undefined) throw new Error(fault);
      return {
        ref: header.ref,
        minTimeMs: header.minTimeMs,
        maxTimeMs: header.maxTimeMs,
        encoding: header.encoding,
        outOfOrder: header.outOfOrder,
        bytes: arena.u8.subarray(block + header.dataOffset, block + end),
      };
    } catch (cause) {
      const path = join(this.#options.dir, headChunkFileName(file));
      throw new PromletError(
        'storage/head-chunk',
        `cannot read the chunk at ${offsetBytes} of ${path}: ${errorMessage(cause)}`,
        { cause },
      );
    }
  }

  /** Numbers of the files that there are, ascending. */
  list(): number[] {
    return listHeadChunkFiles(this.#options.fileSystem, this.#options.dir);
  }

  /** Bytes of all files; asks the file system. */
  sizeBytes(): number {
    const { dir, fileSystem } = this.#options;
    let sizeBytes = 0;
    for (const file of this.list()) sizeBytes += fileSystem.statSync(join(dir, headChunkFileName(file))).size;
    return sizeBytes;
  }

  /**
   * Deletes the files below `firstKept`, oldest first, so that a crash leaves no gap. The caller has made sure that no
   * series has a chunk in them, and that none of them is being written.
   * @returns how many were deleted
   * @throws PromletError `storage/head-chunk`: what is left is deleted at the next call
   */
  truncate(firstKept: number): number {
    const { dir, fileSystem } = this.#options;
    let deleted = 0;
    try {
      for (const file of this.list()) {
        if (file >= firstKept) break;
        this.#closeFile(file);
        fileSystem.unlinkSync(join(dir, headChunkFileName(file)));
        deleted++;
      }
      if (deleted > 0) syncDirectory(fileSystem, dir);
    } catch (cause) {
      throw new PromletError('storage/head-chunk', `cannot delete old files in ${dir}: ${errorMessage(cause)}`, {
        cause,
      });
    }
    return deleted;
  }

  /** Closes the files below `firstKept`, which another thread deletes. */
  forget(firstKept: number): void {
    for (const file of this.#open.keys()) if (file < firstKept) this.#closeFile(file);
  }

  close(): void {
    this.forget(Infinity);
    this.#block.release();
  }

  #descriptor(file: number): number {
    let descriptor = this.#open.get(file);
    if (descriptor === undefined) {
      const { dir, fileSystem } = this.#options;
      descriptor = fileSystem.openSync(join(dir, headChunkFileName(file)), 'r');
      this.#open.set(file, descriptor);
    }
    return descriptor;
  }

  #closeFile(file: number): void {
    const descriptor = this.#open.get(file);
    if (descriptor === undefined) return;
    this.#open.delete(file);
    this.#options.fileSystem.closeSync(descriptor);
  }

  /** @returns how many bytes there were, up to `length` */
  #fill(descriptor: number, block: number, from: number, length: number, offsetBytes: number): number {
    const { u8 } = this.#options.kernels.arena;
    const into = u8.subarray(block + from, block + from + length);
    let done = 0;
    while (done < length) {
      const read = this.#options.fileSystem.readSync(descriptor, into, done, length - done, offsetBytes + from + done);
      if (read === 0) break;
      done += read;
    }
    return done;
  }
}

/** Numbers of the regular files of `chunks_head/`, ascending. */
export function listHeadChunkFiles(fileSystem: FileSystem, dir: string): number[] {
  const files: number[] = [];
  for (const name of fileSystem.readdirSync(dir)) {
    const file = headChunkFileNumber(name);
    if (file !== undefined) files.push(file);
  }
  return files.sort((a, b) => a - b);
}
