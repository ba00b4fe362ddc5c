import { join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { assert, errorMessage, type Labels, PromletError } from '../../model/index.ts';
import type { Chunk } from '../../chunk/index.ts';
import { Tombstones } from '../tombstones.ts';
import { syncDirectory } from '../directory.ts';
import { ChunkSegmentWriter } from './chunk-writer.ts';
import { CHUNKS_DIRECTORY, CREATION_SUFFIX, INDEX_FILE } from './format.ts';
import { ChunkMetas } from './index-series.ts';
import { IndexWriter } from './index-writer.ts';
import { type BlockMeta, writeMeta } from './meta.ts';
import type { Pause } from './postings-writer.ts';
import { writeTombstones } from './tombstones-file.ts';

export interface BlockWriterOptions {
  /** The data directory, which exists. */
  readonly dir: string;
  readonly ulid: string;
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  /** Default 512 MiB. */
  readonly maxSegmentBytes?: number;
}

/**
 * Writes a block (tsdb/compact.go, `LeveledCompactor.write`) under a name that marks it as unfinished; `finish` makes all
 * of it durable and gives it its name. First all symbols, then all series in order. Calls are short, but for `finish`,
 * which pauses. After an error, or when nothing came of it, `abort`. Memory as IndexWriter says, and two buffers of 256 KiB.
 */
export class BlockWriter {
  readonly dir: string;
  readonly #temporaryDir: string;
  readonly #parentDir: string;
  readonly #ulid: string;
  readonly #fileSystem: FileSystem;
  readonly #kernels: Kernels;
  readonly #index: IndexWriter;
  readonly #chunks: ChunkSegmentWriter;
  readonly #metas = new ChunkMetas();
  #done = false;
  numChunks = 0;

  /** @throws PromletError `storage/block-write` */
  constructor({ dir, ulid, fileSystem, kernels, maxSegmentBytes }: BlockWriterOptions) {
    this.#parentDir = dir;
    this.#ulid = ulid;
    this.dir = join(dir, ulid);
    this.#temporaryDir = this.dir + CREATION_SUFFIX;
    this.#fileSystem = fileSystem;
    this.#kernels = kernels;
    const chunksDir = join(this.#temporaryDir, CHUNKS_DIRECTORY);
    this.#attempt(() => {
      fileSystem.rmSync(this.#temporaryDir, { recursive: true, force: true });
      fileSystem.mkdirSync(chunksDir, { recursive: true });
    });
    this.#chunks = new ChunkSegmentWriter(fileSystem, kernels, chunksDir, maxSegmentBytes);
    this.#index = new IndexWriter(fileSystem, kernels, join(this.#temporaryDir, INDEX_FILE));
  }

  get numSeries(): number {
    return this.#index.seriesCount;
  }

  /** @throws PromletError `storage/bad-symbols` when not behind the last, `storage/block-write` */
  addSymbol(symbol: string): void {
    this.#index.addSymbol(symbol);
  }

  /**
   * Adds a series with its chunks; one without chunks is left out.
   * @throws PromletError `storage/bad-series` when series or chunks are out of order, `storage/bad-symbols` when a text is
   *   none of the symbols, `storage/block-write`
   */
  addSeries(labels: Labels, chunks: Iterable<Chunk>): void {
    const metas = this.#metas;
    metas.length = 0;
    this.#chunks.write(chunks, metas);
    if (metas.length === 0) return;
    this.numChunks += metas.length;
    this.#index.addSeries(labels, metas);
  }

  /**
   * Writes what is missing, fsyncs all files and directories and renames the block.
   * @param meta `ulid` as given
   * @param pause called every few ms
   * @throws PromletError `storage/block-write`, `storage/block-read`
   */
  async finish(meta: BlockMeta, pause: Pause): Promise<void> {
    assert(meta.ulid === this.#ulid, 'block writer: the meta of another block');
    await this.#chunks.finish();
    await this.#index.finish(pause);
    this.#attempt(() => syncDirectory(this.#fileSystem, join(this.#temporaryDir, CHUNKS_DIRECTORY)));
    // Both fsync the block's directory too.
    writeTombstones(this.#fileSystem, this.#kernels, this.#temporaryDir, new Tombstones());
    writeMeta(this.#fileSystem, this.#temporaryDir, meta);
    this.#attempt(() => {
      this.#fileSystem.renameSync(this.#temporaryDir, this.dir);
      syncDirectory(this.#fileSystem, this.#parentDir);
    });
    this.#done = true;
  }

  /** Deletes what was written; nothing after `finish`. What cannot be deleted goes at the next start. */
  abort(): void {
    if (this.#done) return;
    this.#done = true;
    this.#chunks.close();
    this.#index.close();
    this.#attempt(() => this.#fileSystem.rmSync(this.#temporaryDir, { recursive: true, force: true }));
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (cause) {
      throw new PromletError('storage/block-write', `cannot write ${this.#temporaryDir}: ${errorMessage(cause)}`, {
        cause,
      });
    }
  }
}
