import { join } from 'node:path';
import { createLogger, type FileSystem, seededRandom } from '../../../../lib/env/index.ts';
import { Block } from '../../../../lib/tsdb/block/block.ts';
import type { BlockMeta } from '../../../../lib/tsdb/block/meta.ts';
import { PageCache } from '../../../../lib/tsdb/block/page-cache.ts';
import { blockSource } from '../../../../lib/tsdb/block/source.ts';
import { BlockSet, type Retention } from '../../../../lib/tsdb/blocks.ts';
import { Compactor, type CompactorOptions } from '../../../../lib/tsdb/compact/compactor.ts';
import { flatOut } from '../../../../lib/tsdb/pace.ts';
import { InProcessRunner } from '../../../../lib/tsdb/compact/runner.ts';
import { writeBlock } from '../../../../lib/tsdb/compact/write-block.ts';
import { TestClock } from '../environment.ts';
import { kernels, merged, type SeriesText, source } from './merge-harness.ts';

export const DIR = '/data';
export const RANGES_MS = [20, 60, 180];

/** `01` … as the ULID of a block in the tests. */
export function id(name: string): string {
  return name.padStart(26, '0');
}

/** What to write: the name makes the ULID; `more` goes to the meta's compaction. */
export interface BlockText {
  readonly times: readonly [minTime: number, maxTime: number];
  readonly series: Record<string, SeriesText>;
  readonly more?: Partial<BlockMeta['compaction']>;
}

/** Blocks by name, written in `dir`. */
export async function putBlocks(fileSystem: FileSystem, blocks: Record<string, BlockText>, dir = DIR): Promise<void> {
  fileSystem.mkdirSync(dir, { recursive: true });
  for (const [name, { times, series, more }] of Object.entries(blocks)) {
    const ulid = id(name);
    const compaction = { level: 1, sources: [ulid], ...more };
    const meta = { ulid, minTime: times[0], maxTime: times[1], compaction };
    await writeBlock({ dir, meta, sources: [source(series)], fileSystem, kernels, pace: flatOut });
  }
}

export interface Opened {
  readonly blocks: BlockSet;
  readonly compactor: Compactor;
  readonly cache: PageCache;
}

let starts = 0;

export function open(fileSystem: FileSystem, options: Partial<CompactorOptions> = {}): Opened {
  const cache = new PageCache({ fileSystem, kernels, maxBytes: 1 << 18 });
  const logger = createLogger('silent');
  const clock = new TestClock();
  const blocks = new BlockSet({ dir: DIR, cache, logger });
  const compactor = new Compactor({
    dir: DIR,
    blocks,
    runner: new InProcessRunner(cache, clock),
    fileSystem,
    clock,
    // Each start makes ULIDs of its own.
    random: seededRandom(starts++),
    logger,
    rangesMs: RANGES_MS,
    retention: (): Retention | undefined => undefined,
    ...options,
  });
  return { blocks, compactor, cache };
}

/** All samples of blocks, `time=value …` by series. */
export function samplesOf(blocks: readonly Block[]): Record<string, string> {
  const sorted = blocks.toSorted((a, b) => a.meta.minTime - b.meta.minTime);
  const chunks = merged(sorted.map((block) => blockSource(block)));
  return Object.fromEntries(Object.entries(chunks).map(([series, texts]) => [series, texts.join(' ')]));
}

/** `min-max` of blocks, level behind it where it is not 1. */
export function ranges(blocks: readonly Block[]): string[] {
  return blocks.map(({ meta: { minTime, maxTime, compaction } }) =>
    compaction.level === 1 ? `${minTime}-${maxTime}` : `${minTime}-${maxTime} level ${compaction.level}`,
  );
}

/** The entries of the data directory. */
export function entries(fileSystem: FileSystem): string[] {
  return fileSystem.readdirSync(DIR).sort();
}

export function openBlock(fileSystem: FileSystem, name: string, dir = DIR): Block {
  return Block.open({ dir: join(dir, id(name)), cache: new PageCache({ fileSystem, kernels, maxBytes: 1 << 18 }) });
}
