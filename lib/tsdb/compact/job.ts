import type { BlockMeta } from '../block/meta.ts';
import { Block } from '../block/block.ts';
import type { PageCache } from '../block/page-cache.ts';
import { blockSource } from '../block/source.ts';
import { ChunkReader } from '../head/chunk-reader.ts';
import { headSource } from '../head/head-source.ts';
import { type HeadHandle, HeadView, openHead } from '../head/head-view.ts';
import { type OutOfOrderPart, outOfOrderSource } from '../head/ooo-source.ts';
import { HeadChunkFiles } from '../head-chunks/files.ts';
import type { NewMeta } from './new-meta.ts';
import type { Pace } from '../pace.ts';
import type { CompactionSource } from './source.ts';
import { writeBlock } from './write-block.ts';

export interface BlockToRead {
  readonly kind: 'block';
  /** The block's directory. */
  readonly dir: string;
}

/** The samples of a head within [minMs, maxMs). */
export interface HeadToRead {
  readonly kind: 'head';
  readonly head: HeadHandle;
  /** `chunks_head/`. */
  readonly chunksDir: string;
  readonly minMs: number;
  readonly maxMs: number;
  /** Those of this part; without it, those in order. */
  readonly outOfOrder?: OutOfOrderPart | undefined;
}

/** A source by where it is. It goes to another thread as it is. */
export type SourceToRead = BlockToRead | HeadToRead;

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
 * @throws as `writeBlock`; PromletError `storage/head-chunk`, `storage/head-busy` by a head
 */
export async function runJob(job: CompactionJob, { cache, pace }: JobContext): Promise<BlockMeta | undefined> {
  const { dir, meta, maxSegmentBytes } = job;
  const { fileSystem, kernels } = cache;
  const opened: OpenSource[] = [];
  try {
    for (const source of job.sources) {
      opened.push(source.kind === 'block' ? openBlockSource(source, cache) : openHeadSource(source, cache));
    }
    const sources = opened.map(({ source }) => source);
    return await writeBlock({ dir, meta, sources, fileSystem, kernels, pace, maxSegmentBytes });
  } finally {
    for (const { close } of opened) close();
  }
}

interface OpenSource {
  readonly source: CompactionSource;
  readonly close: () => void;
}

function openBlockSource({ dir }: BlockToRead, cache: PageCache): OpenSource {
  const block = Block.open({ dir, cache });
  return { source: blockSource(block), close: () => block.close() };
}

function openHeadSource(head: HeadToRead, { fileSystem, kernels }: PageCache): OpenSource {
  const { chunksDir, minMs, maxMs, outOfOrder } = head;
  const files = new HeadChunkFiles({ dir: chunksDir, fileSystem, kernels });
  const view =
    head.head.memory === kernels.arena.memory
      ? new HeadView(kernels.arena, head.head.root, kernels)
      : openHead(head.head, kernels);
  const chunks = new ChunkReader(view, kernels, ({ file, offsetBytes }) => files.read(file, offsetBytes));
  const source =
    outOfOrder === undefined
      ? headSource(view, chunks, minMs, maxMs)
      : outOfOrderSource(view, chunks.outOfOrder, outOfOrder, minMs, maxMs);
  const close = (): void => {
    chunks.release();
    files.close();
  };
  return { source, close };
}
