import type { FileSystem } from '../../env/index.ts';
import { type Kernels, Scratch } from '../../kernels/index.ts';
import { assert } from '../../model/index.ts';
import { badBlock } from './format.ts';
import { openRegularFile, type PositionedFile, readFully } from './positioned-file.ts';

export const PAGE_BYTES = 32 << 10;
const DEFAULT_CACHE_BYTES = 32 << 20;
/** When a file is read on from page to page, so many are read at once. */
const READ_AHEAD_PAGES = 8;
/** A piece larger than this is put together in memory that is given back afterwards. */
const KEPT_SCRATCH_BYTES = 256 << 10;

export interface PageCacheOptions {
  readonly fileSystem: FileSystem;
  /** Pages lie in its arena, so that kernels work on them in place. */
  readonly kernels: Kernels;
  /** Default 32 MiB; at least two pages are held. */
  readonly maxBytes?: number;
}

/**
 * The pages of all block files that one thread reads, the least recently used given up first. Frames of memory are taken
 * from the arena as they are needed, up to the limit, and then used again.
 *
 *     file ─▶ page number ─▶ frame ─▶ address          frames linked from the newest used to the oldest
 */
export class PageCache {
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  readonly #frameCount: number;
  /** Per frame. */
  readonly #addresses: number[] = [];
  readonly #owners: (CachedFile | undefined)[] = [];
  readonly #pages: number[] = [];
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  #newest = -1;
  #oldest = -1;
  readonly #free: number[] = [];
  readonly #run: Scratch;
  readonly #joined: Scratch;
  hits = 0;
  misses = 0;

  constructor({ fileSystem, kernels, maxBytes = DEFAULT_CACHE_BYTES }: PageCacheOptions) {
    this.fileSystem = fileSystem;
    this.kernels = kernels;
    this.#frameCount = Math.max(2, Math.floor(maxBytes / PAGE_BYTES));
    this.#newer = new Int32Array(this.#frameCount).fill(-1);
    this.#older = new Int32Array(this.#frameCount).fill(-1);
    this.#run = new Scratch(kernels.arena);
    this.#joined = new Scratch(kernels.arena);
  }

  /** Bytes of memory that pages lie in. */
  get usedBytes(): number {
    return this.#addresses.length * PAGE_BYTES;
  }

  /** Gives the memory back; all files are closed. It is taken again when needed. */
  release(): void {
    assert(this.#newest === -1, 'page cache: released while files are open');
    for (const address of this.#addresses) this.kernels.arena.free(address, PAGE_BYTES);
    this.#addresses.length = 0;
    this.#free.length = 0;
    this.#run.release();
    this.#joined.release();
  }

  /** @throws PromletError `storage/block-read`, `storage/bad-block` */
  open(path: string): PositionedFile {
    const { handle, sizeBytes } = openRegularFile(this.fileSystem, path);
    return new CachedFile(this, path, handle, sizeBytes);
  }

  /** The address of a page. */
  page(file: CachedFile, page: number): number {
    const frame = file.frames.get(page);
    if (frame !== undefined) {
      this.hits++;
      if (frame !== this.#newest) {
        this.#unlink(frame);
        this.#linkNewest(frame);
      }
      return this.#addresses[frame]!;
    }
    this.misses++;
    const ahead = page === file.nextPage ? this.#missingRun(file, page) : 1;
    file.nextPage = page + ahead;
    return ahead === 1 ? this.#load(file, page) : this.#loadRun(file, page, ahead);
  }

  /** Bytes that lie on several pages, put together. */
  join(file: CachedFile, offset: number, length: number): number {
    const address = this.#roomFor(length);
    for (let done = 0; done < length;) {
      const page = Math.floor((offset + done) / PAGE_BYTES);
      const within = offset + done - page * PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - within, length - done);
      const from = this.page(file, page) + within;
      this.kernels.arena.u8.copyWithin(address + done, from, from + count);
      done += count;
    }
    return address;
  }

  /** Bytes that are read by themselves, whatever pages they lie on. */
  readApart(file: CachedFile, offset: number, length: number): number {
    const address = this.#roomFor(length);
    readFully(this.fileSystem, file, this.kernels.arena, address, length, offset);
    return address;
  }

  /** Gives up the pages of a file that is closed. */
  drop(file: CachedFile): void {
    for (const frame of file.frames.values()) {
      this.#unlink(frame);
      this.#owners[frame] = undefined;
      this.#free.push(frame);
    }
    file.frames.clear();
  }

  /** Where a piece is put that is not given out as it lies on a page. */
  #roomFor(length: number): number {
    if (length <= KEPT_SCRATCH_BYTES && this.#joined.capacity > KEPT_SCRATCH_BYTES) this.#joined.release();
    return this.#joined.reserve(length);
  }

  /** How many pages from `page` on are wanted in one read: those that are not there, up to a limit. */
  #missingRun(file: CachedFile, page: number): number {
    const most = Math.min(READ_AHEAD_PAGES, this.#frameCount >>> 2, file.pageCount - page);
    let run = 1;
    while (run < most && !file.frames.has(page + run)) run++;
    return run;
  }

  #load(file: CachedFile, page: number): number {
    const frame = this.#takeFrame();
    const address = this.#addresses[frame]!;
    try {
      this.#read(file, page, 1, address);
    } catch (error) {
      this.#free.push(frame);
      throw error;
    }
    this.#own(frame, file, page);
    return address;
  }

  /** The first of the pages ends as the newest. */
  #loadRun(file: CachedFile, page: number, count: number): number {
    const run = this.#run.reserve(count * PAGE_BYTES);
    this.#read(file, page, count, run);
    for (let i = count - 1; i >= 0; i--) {
      const frame = this.#takeFrame();
      const from = run + i * PAGE_BYTES;
      this.kernels.arena.u8.copyWithin(this.#addresses[frame]!, from, from + PAGE_BYTES);
      this.#own(frame, file, page + i);
    }
    return this.#addresses[this.#newest]!;
  }

  #read(file: CachedFile, page: number, count: number, address: number): void {
    const offset = page * PAGE_BYTES;
    const length = Math.min(count * PAGE_BYTES, file.sizeBytes - offset);
    readFully(this.fileSystem, file, this.kernels.arena, address, length, offset);
  }

  #takeFrame(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#addresses.length < this.#frameCount) {
      return this.#addresses.push(this.kernels.arena.allocate(PAGE_BYTES)) - 1;
    }
    const frame = this.#oldest;
    this.#unlink(frame);
    this.#owners[frame]!.frames.delete(this.#pages[frame]!);
    this.#owners[frame] = undefined;
    return frame;
  }

  #own(frame: number, file: CachedFile, page: number): void {
    this.#owners[frame] = file;
    this.#pages[frame] = page;
    file.frames.set(page, frame);
    this.#linkNewest(frame);
  }

  #unlink(frame: number): void {
    const newer = this.#newer[frame]!;
    const older = this.#older[frame]!;
    if (newer === -1) this.#newest = older;
    else this.#older[newer] = older;
    if (older === -1) this.#oldest = newer;
    else this.#newer[older] = newer;
  }

  #linkNewest(frame: number): void {
    this.#newer[frame] = -1;
    this.#older[frame] = this.#newest;
    if (this.#newest === -1) this.#oldest = frame;
    else this.#newer[this.#newest] = frame;
    this.#newest = frame;
  }
}

class CachedFile implements PositionedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly handle: number;
  /** Page number to frame, of the pages that are in memory. */
  readonly frames = new Map<number, number>();
  /** The page behind those read last. */
  nextPage = -1;
  readonly #cache: PageCache;
  #closed = false;

  constructor(cache: PageCache, path: string, handle: number, sizeBytes: number) {
    this.#cache = cache;
    this.path = path;
    this.handle = handle;
    this.sizeBytes = sizeBytes;
  }

  get pageCount(): number {
    return Math.ceil(this.sizeBytes / PAGE_BYTES);
  }

  at(offset: number, length: number, keeps = true): number {
    assert(!this.#closed, 'page cache: a file is read after it was closed');
    if (offset + length > this.sizeBytes) throw badBlock(this.path, offset, `${length} bytes are not there to be read`);
    const page = Math.floor(offset / PAGE_BYTES);
    const within = offset - page * PAGE_BYTES;
    const isOnOnePage = within + length <= PAGE_BYTES;
    if (!keeps && !(isOnOnePage && this.frames.has(page))) return this.#cache.readApart(this, offset, length);
    if (isOnOnePage) return this.#cache.page(this, page) + within;
    return this.#cache.join(this, offset, length);
  }

  stretch(offset: number): number {
    return Math.min(PAGE_BYTES - (offset % PAGE_BYTES), this.sizeBytes - offset);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cache.drop(this);
    this.#cache.fileSystem.closeSync(this.handle);
  }
}
