import { join } from 'node:path';
import type { FileSystem } from '../env/index.ts';
import type { Kernels } from '../kernels/index.ts';
import { errorMessage, PromletError } from '../model/index.ts';
import { blockNames } from './block-directories.ts';
import { Block } from './block/block.ts';
import type { BlockMeta } from './block/meta.ts';
import { PageCache } from './block/page-cache.ts';

export interface BlockSummary {
  readonly meta: BlockMeta;
  readonly sizeBytes: number;
}

export interface ReadBlocksOptions {
  /** The data directory; nothing in it is changed. */
  readonly dir: string;
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
}

/** Few pages are needed at a time by who reads a block from front to back. */
const CACHE_BYTES = 4 << 20;

/** The blocks of a data directory in the order of their first time, as `openBlocks` says. */
export function readBlocks({ dir, fileSystem, kernels }: ReadBlocksOptions): BlockSummary[] {
  const blocks = openBlocks(dir, new PageCache({ fileSystem, kernels, maxBytes: CACHE_BYTES }));
  for (const block of blocks) block.close();
  return blocks.map(({ meta, sizeBytes }) => ({ meta, sizeBytes }));
}

/**
 * Opens the blocks of a data directory to read them only, in the order of their first time; to be closed. A damaged one is
 * passed over when another was made from it (tsdb/db.go, `DBReadOnly.Blocks`).
 * @throws PromletError `storage/bad-block` naming every other damaged one, `storage/open` when the directory cannot be read
 */
export function openBlocks(dir: string, cache: PageCache): Block[] {
  const blocks: Block[] = [];
  const damaged = new Map<string, string>();
  for (const name of namesOf(dir, cache.fileSystem)) {
    try {
      blocks.push(Block.open({ dir: join(dir, name), cache }));
    } catch (error) {
      damaged.set(name, errorMessage(error));
    }
  }
  for (const { meta } of blocks) for (const { ulid } of meta.compaction.parents ?? []) damaged.delete(ulid);
  if (damaged.size > 0) {
    for (const block of blocks) block.close();
    const reasons = [...damaged].map(([name, reason]) => `corrupted block ${name}: ${reason}`);
    throw new PromletError('storage/bad-block', reasons.join('\n'));
  }
  return blocks.sort((a, b) => a.meta.minTime - b.meta.minTime);
}

/**
 * The name of the block that was made last, by the time in its ULID (`DBReadOnly.LastBlockID`).
 * @throws PromletError `storage/no-block`, `storage/open`
 */
export function newestBlock(fileSystem: FileSystem, dir: string): string {
  // Their first ten characters are the time, in an alphabet in the order of its digits. The first of equals counts.
  const [first, ...others] = namesOf(dir, fileSystem);
  if (first === undefined) throw new PromletError('storage/no-block', `no blocks found in ${dir}`);
  return others.reduce((newest, name) => (name.slice(0, 10) > newest.slice(0, 10) ? name : newest), first);
}

function namesOf(dir: string, fileSystem: FileSystem): string[] {
  try {
    return blockNames(fileSystem, dir);
  } catch (cause) {
    throw new PromletError('storage/open', `cannot list ${dir}: ${errorMessage(cause)}`, { cause });
  }
}
