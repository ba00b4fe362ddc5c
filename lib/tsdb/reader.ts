import { join } from 'node:path';
import type { FileSystem } from '../env/index.ts';
import type { Kernels } from '../kernels/index.ts';
import type { Queryable } from '../storage/index.ts';
import { Block } from './block/block.ts';
import { PageCache } from './block/page-cache.ts';
import { openQuerier } from './db-querier.ts';
import { HeadChunkFiles } from './head-chunks/files.ts';
import { ChunkReader } from './head/chunk-reader.ts';
import { type HeadHandle, type HeadView, openHead } from './head/head-view.ts';
import { mayHoldSamples, type UnreadableBlock } from './incomplete-querier.ts';

/** What another thread reads a database by. It goes there as it is. */
export interface ReadHandle {
  /** The data directory. */
  readonly dir: string;
  readonly head: HeadHandle;
  readonly blocks: readonly LentBlock[];
  readonly unreadable: readonly UnreadableBlock[];
  /** In-order samples before it are in blocks. */
  readonly floorMs: number;
  /** Head chunk files below it are gone. */
  readonly firstChunkFile: number;
}

/** A block with samples of [minTimeMs, maxTimeMs). */
export interface LentBlock {
  readonly ulid: string;
  /** Changes when something of it is deleted. */
  readonly revision: number;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

/** What is lent to another thread: all that the handle names stays until it is given back. */
export interface Loan {
  readonly handle: ReadHandle;
  /** Once. */
  release(): void;
}

export interface TsdbReaderOptions {
  readonly fileSystem: FileSystem;
  /** The thread's own, on a memory of their own. */
  readonly kernels: Kernels;
  /** For pages of blocks. */
  readonly cacheBytes: number;
}

interface OpenBlock {
  readonly block: Block;
  readonly revision: number;
}

/**
 * Reads a database that another thread of this process has open: the head where it lies in shared memory, blocks and head
 * chunks through files of its own, which stay open from one loan to the next.
 */
export class TsdbReader {
  readonly #kernels: Kernels;
  readonly #fileSystem: FileSystem;
  readonly #cache: PageCache;
  readonly #blocks = new Map<string, OpenBlock>();
  #head: { readonly root: number; readonly view: HeadView; readonly chunks: ChunkReader } | undefined;
  #files: HeadChunkFiles | undefined;

  constructor({ fileSystem, kernels, cacheBytes }: TsdbReaderOptions) {
    this.#fileSystem = fileSystem;
    this.#kernels = kernels;
    this.#cache = new PageCache({ fileSystem, kernels, maxBytes: cacheBytes });
  }

  /**
   * The database as a loan has it. One loan at a time: what the last one had and this one has not is closed.
   * @throws PromletError `storage/bad-block`, `storage/block-read` by its queriers
   */
  queryable(handle: ReadHandle): Queryable {
    const revisions = new Map(handle.blocks.map(({ ulid, revision }) => [ulid, revision]));
    for (const [ulid, { block, revision }] of this.#blocks) {
      if (revisions.get(ulid) === revision) continue;
      block.close();
      this.#blocks.delete(ulid);
    }
    const { view, chunks } = this.#openHead(handle);
    return {
      querier: (minMs, maxMs) => {
        // Only these are opened, which takes a µs a series.
        const blocks = handle.blocks
          .filter((block) => mayHoldSamples(block, minMs, maxMs))
          .map(({ ulid, revision }) => this.#block(join(handle.dir, ulid), ulid, revision));
        const head = { view, chunkReader: chunks, floorMs: handle.floorMs };
        const parts = { kernels: this.#kernels, blocks, unreadable: handle.unreadable, head };
        return openQuerier(parts, minMs, maxMs).querier;
      },
    };
  }

  close(): void {
    for (const { block } of this.#blocks.values()) block.close();
    this.#blocks.clear();
    this.#files?.close();
  }

  #block(dir: string, ulid: string, revision: number): Block {
    const known = this.#blocks.get(ulid);
    if (known !== undefined) return known.block;
    const block = Block.open({ dir, cache: this.#cache });
    this.#blocks.set(ulid, { block, revision });
    return block;
  }

  #openHead({ dir, head, firstChunkFile }: ReadHandle): { view: HeadView; chunks: ChunkReader } {
    const kernels = this.#kernels;
    const files = (this.#files ??= new HeadChunkFiles({
      dir: join(dir, 'chunks_head'),
      fileSystem: this.#fileSystem,
      kernels,
    }));
    files.forget(firstChunkFile);
    if (this.#head?.root !== head.root) {
      const view = openHead(head, kernels);
      const chunks = new ChunkReader(view, kernels, ({ file, offsetBytes }) => files.read(file, offsetBytes));
      this.#head = { root: head.root, view, chunks };
    }
    return this.#head;
  }
}
