import { join } from 'node:path';
import type { FileSystem, Logger } from '../../env/index.ts';
import { type Kernels, Scratch } from '../../kernels/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';
import { createDirectory } from '../directory.ts';
import { entryKind } from '../entry-kind.ts';
import { type Pace, slicedPace } from '../pace.ts';
import type { WalDamage } from '../types.ts';
import { ChunkHeader, uint32 } from './chunk-header.ts';
import { listHeadChunkFiles } from './files.ts';
import {
  CRC_BYTES,
  FILE_HEADER_BYTES,
  HEAD_CHUNKS_MAGIC,
  HEAD_CHUNKS_VERSION,
  headChunkFileName,
  MAX_CHUNK_OVERHEAD_BYTES,
} from './format.ts';
import { type FileFault, HeadChunkRepair } from './repair.ts';

/** Read at a time; grows for a larger chunk. */
const WINDOW_BYTES = 1 << 20;
/** The clock is looked at after so much. */
const SLICE_CHECK_BYTES = 64 << 10;

/** A chunk on file, as start-up learns of it; valid during the visit. */
export interface LoadedChunk extends Readonly<Omit<ChunkHeader, 'read' | 'fault' | 'isEnd'>> {
  readonly file: number;
  /** Of the chunk in its file: what `HeadChunkFiles.read` wants. */
  readonly offsetBytes: number;
  readonly sampleCount: number;
}

export interface LoadHeadChunksOptions {
  /** `chunks_head/` of a data directory; created when missing. */
  readonly dir: string;
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  readonly logger: Logger;
  readonly monotonicMs: () => number;
  /** Damage is cut out of the files, which are kept in `corruptDir`. Otherwise nothing is changed on disk. */
  readonly repair: boolean;
  readonly corruptDir: string;
}

export interface HeadChunksReport {
  /** Read, in whole or up to the damage. */
  readonly files: number;
  readonly chunks: number;
  /** For the writer. */
  readonly nextFile: number;
  /**
   * The first damage, and what became of the files behind it. The log still has the samples of all chunks from there on.
   */
  readonly damage: readonly WalDamage[];
  readonly durationMs: number;
}

/**
 * Tells `visit` of all chunks in `chunks_head/`, in order, their checksums checked (`IterateAllChunks` of
 * tsdb/chunks/head_chunks.go), in slices of a few ms.
 *
 * At the first damage it ends: a series whose chunk is lost must not have later ones, or the log would not be asked for
 * what is missing between. So the damaged file is cut off there and the later ones are put away; all are kept in
 * `corruptDir`, but for the torn end of the last file, which was never acknowledged. Prometheus reads what is left.
 * @throws PromletError `storage/head-chunk` when a directory or file cannot be read; whatever `visit` throws
 */
export async function loadHeadChunks(
  options: LoadHeadChunksOptions,
  visit: (chunk: LoadedChunk) => void,
): Promise<HeadChunksReport> {
  const loader = new Loader(options, visit);
  try {
    return await loader.run();
  } catch (cause) {
    if (cause instanceof PromletError) throw cause;
    throw new PromletError('storage/head-chunk', `cannot read ${options.dir}: ${errorMessage(cause)}`, { cause });
  } finally {
    loader.release();
  }
}

class LoadingChunk extends ChunkHeader {
  file = 0;
  offsetBytes = 0;
  sampleCount = 0;
}

class Loader {
  readonly #options: LoadHeadChunksOptions;
  readonly #visit: (chunk: LoadedChunk) => void;
  readonly #window: Scratch;
  readonly #chunk = new LoadingChunk();
  readonly #pace: Pace;
  #chunks = 0;

  constructor(options: LoadHeadChunksOptions, visit: (chunk: LoadedChunk) => void) {
    this.#options = options;
    this.#visit = visit;
    this.#window = new Scratch(options.kernels.arena);
    this.#pace = slicedPace(options);
  }

  release(): void {
    this.#window.release();
  }

  async run(): Promise<HeadChunksReport> {
    const { dir, fileSystem, monotonicMs } = this.#options;
    const startedMs = monotonicMs();
    createDirectory(fileSystem, dir);
    const repair = new HeadChunkRepair(this.#options);
    repair.removeLeftovers();
    const files = listHeadChunkFiles(fileSystem, dir);
    let read = 0;
    let expected = files[0] ?? 1;
    for (const file of files) {
      const fault = file === expected ? await this.#file(file) : { offsetBytes: 0, reason: behindGap(expected) };
      if (fault !== undefined) {
        if (fault.offsetBytes > 0) read++;
        repair.putAway(file, fault, files);
        break;
      }
      expected = file + 1;
      read++;
    }
    return {
      files: read,
      chunks: this.#chunks,
      nextFile: (listHeadChunkFiles(fileSystem, dir).at(-1) ?? 0) + 1,
      damage: repair.damage,
      durationMs: monotonicMs() - startedMs,
    };
  }

  async #file(file: number): Promise<FileFault | undefined> {
    const { dir, fileSystem } = this.#options;
    const path = join(dir, headChunkFileName(file));
    if (entryKind(fileSystem, path) !== 'file') return { offsetBytes: 0, reason: 'not a regular file' };
    const descriptor = fileSystem.openSync(path, 'r');
    try {
      const sizeBytes = fileSystem.fstatSync(descriptor).size;
      const fault = this.#header(descriptor, sizeBytes);
      return fault ?? (await this.#chunksOf(file, descriptor, sizeBytes));
    } finally {
      fileSystem.closeSync(descriptor);
    }
  }

  #header(descriptor: number, sizeBytes: number): FileFault | undefined {
    const { u8 } = this.#options.kernels.arena;
    const at = this.#fill(descriptor, 0, Math.min(sizeBytes, FILE_HEADER_BYTES));
    const magic = sizeBytes < FILE_HEADER_BYTES ? 0 : uint32(u8, at);
    if (magic === 0) return { offsetBytes: 0, reason: 'a file without a header', torn: true };
    if (magic !== HEAD_CHUNKS_MAGIC) return { offsetBytes: 0, reason: `the wrong magic number ${magic.toString(16)}` };
    const version = u8[at + 4]!;
    return version === HEAD_CHUNKS_VERSION ? undefined : { offsetBytes: 0, reason: `the unknown version ${version}` };
  }

  async #chunksOf(file: number, descriptor: number, sizeBytes: number): Promise<FileFault | undefined> {
    const { arena, wasm } = this.#options.kernels;
    const chunk = this.#chunk;
    chunk.file = file;
    let windowStart = 0;
    let windowEnd = 0;
    let checkedAt = 0;
    let address = 0;
    let wanted = MAX_CHUNK_OVERHEAD_BYTES;
    for (let offset = FILE_HEADER_BYTES; offset < sizeBytes;) {
      if (offset - checkedAt >= SLICE_CHECK_BYTES) {
        checkedAt = offset;
        await this.#pace();
      }
      if (offset + wanted > windowEnd && windowEnd < sizeBytes) {
        windowStart = offset;
        windowEnd = Math.min(sizeBytes, offset + Math.max(wanted, WINDOW_BYTES));
        address = this.#fill(descriptor, windowStart, windowEnd - windowStart);
      }
      const at = address + offset - windowStart;
      const left = windowEnd - offset;
      const torn = (reason: string): FileFault => ({ offsetBytes: offset, reason, torn: true });
      if (left < MAX_CHUNK_OVERHEAD_BYTES) {
        return isZero(arena.u8, at, left) ? undefined : torn('the file ends within a chunk');
      }
      chunk.read(arena, at);
      if (chunk.isEnd) {
        const zeros = await this.#isZeroFrom(descriptor, offset, sizeBytes);
        return zeros ? undefined : { offsetBytes: offset, reason: 'a chunk without a series' };
      }
      const end = chunk.dataOffset + chunk.dataBytes;
      if (!(offset + end + CRC_BYTES <= sizeBytes)) return torn('the file ends within a chunk');
      if (end + CRC_BYTES > left) {
        wanted = end + CRC_BYTES;
        continue;
      }
      wanted = MAX_CHUNK_OVERHEAD_BYTES;
      const goodChecksum = wasm.crc32c(0, at, end) >>> 0 === uint32(arena.u8, at + end);
      const reason = goodChecksum ? chunk.fault : 'a wrong checksum';
      if (reason !== undefined) return { offsetBytes: offset, reason };
      chunk.offsetBytes = offset;
      chunk.sampleCount = (arena.u8[at + chunk.dataOffset]! << 8) | arena.u8[at + chunk.dataOffset + 1]!;
      this.#chunks++;
      this.#visit(chunk);
      offset += end + CRC_BYTES;
    }
    return undefined;
  }

  /** Whether only zeros follow: preallocated space, not a hole. */
  async #isZeroFrom(descriptor: number, offset: number, sizeBytes: number): Promise<boolean> {
    for (let at = offset; at < sizeBytes; at += WINDOW_BYTES) {
      const length = Math.min(WINDOW_BYTES, sizeBytes - at);
      if (!isZero(this.#options.kernels.arena.u8, this.#fill(descriptor, at, length), length)) return false;
      await this.#pace();
    }
    return true;
  }

  /** Reads part of a file into the window. @returns where it lies */
  #fill(descriptor: number, offset: number, length: number): number {
    const { fileSystem, kernels } = this.#options;
    const address = this.#window.reserve(length);
    const into = kernels.arena.u8.subarray(address, address + length);
    for (let done = 0; done < length;) {
      const read = fileSystem.readSync(descriptor, into, done, length - done, offset + done);
      if (read === 0) throw new Error(`the file ends at ${offset + done} bytes while it is read`);
      done += read;
    }
    return address;
  }
}

function behindGap(expected: number): string {
  return `${headChunkFileName(expected)} is missing before it`;
}

function isZero(u8: Uint8Array, from: number, length: number): boolean {
  for (let at = from; at < from + length; at++) if (u8[at] !== 0) return false;
  return true;
}
