import { join } from 'node:path';
import type { Clock, FileSystem, Logger } from '../env/index.ts';
import type { Kernels } from '../kernels/index.ts';
import type { Querier, Queryable } from '../storage/index.ts';
import type { Block } from './block/block.ts';
import { PageCache } from './block/page-cache.ts';
import { BlockQuerier } from './block/querier.ts';
import { Head } from './head/head.ts';
import { HeadReader } from './head/querier.ts';
import { HeadReplay } from './head/replay.ts';
import { DEFAULT_BLOCK_DURATION_MS } from './limits.ts';
import { mergeQueriers } from './merge.ts';
import { openBlocks } from './read-blocks.ts';
import { replayLog } from './wal/replay.ts';

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
  const head = blocksEndMs <= maxMs ? await replayedHead(options) : undefined;
  return {
    querier: (fromMs, toMs) => {
      const queriers: Querier[] = blocks
        .filter((block) => block.overlaps(fromMs, toMs))
        .map((block) => new BlockQuerier(block, fromMs, toMs));
      if (head !== undefined && head.maxTimeMs >= Math.max(fromMs, blocksEndMs) && head.minTimeMs <= toMs) {
        queriers.push(new HeadReader(head.view, head.chunkReader, Math.max(fromMs, blocksEndMs), toMs));
      }
      return mergeQueriers(options.kernels, queriers);
    },
    close: () => closeAll(blocks),
  };
}

function closeAll(blocks: readonly Block[]): void {
  for (const block of blocks) block.close();
}

async function replayedHead({ dir, fileSystem, kernels, clock, logger }: ReadOnlyOptions): Promise<Head | undefined> {
  const walDir = join(dir, 'wal');
  if (!fileSystem.existsSync(walDir)) return undefined;
  const head = new Head(kernels, DEFAULT_BLOCK_DURATION_MS, { maxSeries: 0, maxFutureMs: 0 });
  await replayLog(
    {
      dir: walDir,
      fileSystem,
      kernels,
      logger,
      monotonicMs: () => clock.monotonicMs(),
      damaged: 'leave',
      // Nothing is put there.
      corruptDir: walDir,
    },
    new HeadReplay(head),
  );
  return head;
}
