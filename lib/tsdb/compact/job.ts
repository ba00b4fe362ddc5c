import { Block } from '../block/block.ts';
import type { BlockMeta } from '../block/meta.ts';
import type { PageCache } from '../block/page-cache.ts';
import { blockSource } from '../block/source.ts';
import type { NewMeta } from './new-meta.ts';
import type { Pace } from './pace.ts';
import type { CompactionSource } from './source.ts';
import { writeBlock } from './write-block.ts';

/** A source by where it is. It goes to another thread as it is. */
export interface BlockToRead {
  readonly kind: 'block';
  /** The block's directory. */
  readonly dir: string;
}

export type SourceToRead = BlockToRead;

/** One block to be written. */
export interface CompactionJob {
  /** Where its directory will lie. */
  readonly dir: string;
  readonly meta: NewMeta;
  /** By first time. */
  readonly sources: readonly SourceToRead[];
  /** Default 512 MiB. */
  readonly maxSegmentBytes?: number | undefined;
}

/** What a thread runs jobs with. */
export interface JobContext {
  /** For symbols and postings; series and chunks are read through windows of their own. */
  readonly cache: PageCache;
  readonly pace: Pace;
}

/**
 * Opens the sources of a job and writes its block.
 * @returns undefined when no samples are left
 * @throws as `writeBlock`
 */
export async function runJob(job: CompactionJob, { cache, pace }: JobContext): Promise<BlockMeta | undefined> {
  const { dir, meta, maxSegmentBytes } = job;
  const { fileSystem, kernels } = cache;
  const blocks: Block[] = [];
  try {
    const sources = job.sources.map((source): CompactionSource => {
      const block = Block.open({ dir: source.dir, cache });
      blocks.push(block);
      return blockSource(block);
    });
    return await writeBlock({ dir, meta, sources, fileSystem, kernels, pace, maxSegmentBytes });
  } finally {
    for (const block of blocks) block.close();
  }
}
