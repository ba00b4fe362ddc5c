import { join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import type { Matcher } from '../../model/index.ts';
import { selectPostings } from '../select.ts';
import { Tombstones } from '../tombstones.ts';
import { ChunkReader } from './chunk-reader.ts';
import { INDEX_FILE } from './format.ts';
import { IndexReader } from './index-reader.ts';
import { IndexSeries } from './index-series.ts';
import { type BlockMeta, readMeta, writeMeta } from './meta.ts';
import type { PageCache } from './page-cache.ts';
import type { PositionedFile } from './positioned-file.ts';
import type { Pause } from './postings-writer.ts';
import { readTombstones, writeTombstones } from './tombstones-file.ts';
import { Window, WindowFile } from './window-file.ts';

/** Series between two pauses of a deletion. */
const DELETION_SLICE_SERIES = 2048;

export interface BlockOptions {
  /** The block's directory. */
  readonly dir: string;
  /** Files are read through its file system and its kernels, and later reads go through it. */
  readonly cache: PageCache;
}

/** Sizes of a block's files. */
interface FileSizes {
  meta: number;
  tombstones: number;
}

/** A block that is open for reading (tsdb/block.go, `Block`). Its files do not change, but for meta.json and tombstones. */
export class Block {
  readonly dir: string;
  readonly cache: PageCache;
  readonly index: IndexReader;
  readonly chunks: ChunkReader;
  #meta: BlockMeta;
  #tombstones: Tombstones;
  readonly #sizes: FileSizes;
  /** How often something was deleted of it since it was opened. */
  revision = 0;

  /**
   * Opens and checks a block: meta.json and tombstones whole, the index's table of contents, symbols and postings offset
   * table, the chunk segments' headers.
   * @throws PromletError `storage/bad-block` naming file and offset, `storage/block-read`
   */
  static open({ dir, cache }: BlockOptions): Block {
    const { fileSystem, kernels } = cache;
    const { meta, sizeBytes: metaBytes } = readMeta(fileSystem, dir);
    const { tombstones, sizeBytes: tombstonesBytes } = readTombstones(fileSystem, kernels, dir);
    const index = openIndex(cache, join(dir, INDEX_FILE));
    try {
      const chunks = new ChunkReader(fileSystem, kernels, dir, (path) => cache.open(path));
      return new Block(dir, cache, meta, tombstones, index, chunks, { meta: metaBytes, tombstones: tombstonesBytes });
    } catch (error) {
      index.close();
      throw error;
    }
  }

  private constructor(
    dir: string,
    cache: PageCache,
    meta: BlockMeta,
    tombstones: Tombstones,
    index: IndexReader,
    chunks: ChunkReader,
    sizes: FileSizes,
  ) {
    this.dir = dir;
    this.cache = cache;
    this.#meta = meta;
    this.#tombstones = tombstones;
    this.index = index;
    this.chunks = chunks;
    this.#sizes = sizes;
  }

  get meta(): BlockMeta {
    return this.#meta;
  }

  get tombstones(): Tombstones {
    return this.#tombstones;
  }

  get kernels(): Kernels {
    return this.cache.kernels;
  }

  get fileSystem(): FileSystem {
    return this.cache.fileSystem;
  }

  /** Of its files on disk (`Block.Size`). */
  get sizeBytes(): number {
    return this.chunks.sizeBytes + this.index.sizeBytes + this.#sizes.meta + this.#sizes.tombstones;
  }

  /** True when it may hold samples of [minMs, maxMs], both inclusive. */
  overlaps(minMs: number, maxMs: number): boolean {
    return this.#meta.minTime <= maxMs && minMs < this.#meta.maxTime;
  }

  /**
   * Marks the samples of matching series within [minMs, maxMs], both inclusive, as deleted (`Block.Delete`). Takes 2 µs a
   * series that matches: a thread with other work uses `deleteInSlices`.
   * @throws PromletError `storage/bad-block`, `storage/block-read`, `storage/block-write`, `storage/too-many-tombstones`
   */
  delete(minMs: number, maxMs: number, matchers: readonly Matcher[]): void {
    const steps = this.#deletion(minMs, maxMs, matchers);
    while (steps.next().done !== true);
  }

  /** As `delete`, with a pause every few ms; the samples are there until it resolves. */
  async deleteInSlices(minMs: number, maxMs: number, matchers: readonly Matcher[], pause: Pause): Promise<void> {
    for (const _ of this.#deletion(minMs, maxMs, matchers)) await pause();
  }

  *#deletion(minMs: number, maxMs: number, matchers: readonly Matcher[]): Generator<void, void, undefined> {
    const tombstones = new Tombstones();
    const series = new IndexSeries();
    for (const [i, ref] of selectPostings(this.index, matchers).entries()) {
      if (i % DELETION_SLICE_SERIES === DELETION_SLICE_SERIES - 1) yield;
      this.index.series(ref, series);
      const { length, minTimesMs, maxTimesMs } = series.chunks;
      let touched = false;
      for (let k = 0; k < length && !touched; k++) touched = minTimesMs[k]! <= maxMs && maxTimesMs[k]! >= minMs;
      if (!touched) continue;
      const minTimeMs = Math.max(minMs, minTimesMs[0]!);
      tombstones.add(ref, { minTimeMs, maxTimeMs: Math.min(maxMs, maxTimesMs[length - 1]!) });
    }
    for (const [ref, intervals] of this.#tombstones.entries()) tombstones.addAll(ref, intervals);
    this.#sizes.tombstones = writeTombstones(this.fileSystem, this.kernels, this.dir, tombstones);
    this.#tombstones = tombstones;
    this.revision++;
    this.setMeta({ ...this.#meta, stats: { ...this.#meta.stats, numTombstones: tombstones.total } });
  }

  /** Writes meta.json anew. @throws PromletError `storage/block-write` */
  setMeta(meta: BlockMeta): void {
    this.#sizes.meta = writeMeta(this.fileSystem, this.dir, meta);
    this.#meta = meta;
  }

  close(): void {
    this.index.close();
    this.chunks.close();
  }
}

/** What is read of the index once, when it is opened, does not go through the cache. */
function openIndex(cache: PageCache, path: string): IndexReader {
  const window = new Window(cache.kernels);
  let from: PositionedFile | undefined;
  let file: PositionedFile | undefined;
  try {
    from = new WindowFile(cache.fileSystem, path, window);
    file = cache.open(path);
    return new IndexReader(cache.kernels, file, from);
  } catch (error) {
    file?.close();
    throw error;
  } finally {
    from?.close();
    window.release();
  }
}
