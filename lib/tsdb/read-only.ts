import { join } from 'node:path';
import type { Clock, FileSystem, Logger } from '../env/index.ts';
import type { Kernels } from '../kernels/index.ts';
import type { Queryable } from '../storage/index.ts';
import { PageCache } from './block/page-cache.ts';
import { bringBack } from './bring-back.ts';
import { type HeadPart, openQuerier, type ReadParts } from './db-querier.ts';
import { HeadChunkFiles } from './head-chunks/files.ts';
import { Head } from './head/head.ts';
import { DEFAULT_BLOCK_DURATION_MS } from './limits.ts';
import { openBlocks } from './read-blocks.ts';

export interface ReadOnlyOptions {
  /** The data directory. */
  readonly dir: string;
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A data directory that is only read; another process may have it open. */
export interface ReadOnlyTsdb extends Queryable {
  close(): void;
}

/**
 * Reads the blocks of a data directory, and its log when the blocks end before `maxMs` (tsdb/db.go, `DBReadOnly`). Nothing is
 * changed or locked. Damage in the log is passed over and logged.
 * @throws PromletError `storage/open`, `storage/bad-block`, `storage/wal-read`
 */
export async function openReadOnly(options: ReadOnlyOptions, maxMs: number): Promise<ReadOnlyTsdb> {
  const cache = new PageCache(options);
  const blocks = openBlocks(options.dir, cache);
  const blocksEndMs = blocks.at(-1)?.meta.maxTime ?? -Infinity;
  const chunkFiles = new HeadChunkFiles({ ...options, dir: join(options.dir, 'chunks_head') });
  const parts: ReadParts =
    blocksEndMs > maxMs
      ? { kernels: options.kernels, blocks }
      : { kernels: options.kernels, blocks, head: await replayedHead(options, chunkFiles, blocksEndMs) };
  return {
    querier: (fromMs, toMs) => openQuerier(parts, fromMs, toMs).querier,
    close: () => {
      chunkFiles.close();
      for (const block of blocks) block.close();
    },
  };
}

/** The head as opening the directory would bring it back. */
async function replayedHead(options: ReadOnlyOptions, chunkFiles: HeadChunkFiles, floorMs: number): Promise<HeadPart> {
  const head = new Head(options.kernels, DEFAULT_BLOCK_DURATION_MS, { maxSeries: 0, maxFutureMs: 0 });
  head.readMapped = ({ file, offsetBytes }) => chunkFiles.read(file, offsetBytes);
  await bringBack(head, { ...options, floorMs, damaged: 'leave' });
  return { view: head.view, chunkReader: head.chunkReader, floorMs };
}
