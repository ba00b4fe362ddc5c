import { ulid } from 'ulid';
import { join } from 'node:path';
import type { Clock, FileSystem, Random } from '../env/index.ts';
import type { Kernels } from '../kernels/index.ts';
import type { Appendable, Appender } from '../storage/index.ts';
import { Block } from './block/block.ts';
import { PageCache } from './block/page-cache.ts';
import { headBlockMeta } from './compact/new-meta.ts';
import { writeBlock } from './compact/write-block.ts';
import { HeadAppender } from './head/appender.ts';
import { headSource } from './head/head-source.ts';
import { Head } from './head/head.ts';
import { slicedPace } from './pace.ts';
import type { BlockSummary } from './read-blocks.ts';

export interface BlockBuilderOptions {
  /** Where the block's directory will lie; exists. */
  readonly dir: string;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  /** Its memory holds the samples and is not given back: one for each builder. */
  readonly kernels: Kernels;
  /** Chunks do not cross multiples of it; samples may be half of it older than the newest. */
  readonly headDurationMs: number;
}

/** Gathers samples in memory, without a log, and writes them as one block (tsdb/blockwriter.go). */
export class BlockBuilder implements Appendable {
  readonly #options: BlockBuilderOptions;
  readonly #head: Head;

  constructor(options: BlockBuilderOptions) {
    this.#options = options;
    this.#head = new Head(options.kernels, options.headDurationMs, { maxSeries: 0, maxFutureMs: 0 });
  }

  appender(): Appender {
    const { clock } = this.#options;
    return new HeadAppender({
      head: this.#head,
      outOfOrder: undefined,
      now: () => clock.now(),
      log: () => undefined,
      takeBack: () => undefined,
    });
  }

  /**
   * Writes all samples; to be called once.
   * @returns undefined when there are none, and then no block
   * @throws PromletError `storage/block-write`
   */
  async flush(): Promise<BlockSummary | undefined> {
    const { dir, fileSystem, kernels, clock, random } = this.#options;
    const { view, chunkReader, minTimeMs, maxTimeMs } = this.#head;
    if (minTimeMs > maxTimeMs) return undefined;
    const meta = await writeBlock({
      dir,
      meta: headBlockMeta(ulid(clock.now(), random), minTimeMs, maxTimeMs + 1),
      sources: [headSource(view, chunkReader, minTimeMs, maxTimeMs + 1)],
      fileSystem,
      kernels,
      pace: slicedPace(clock),
    });
    if (meta === undefined) return undefined;
    const block = Block.open({ dir: join(dir, meta.ulid), cache: new PageCache({ fileSystem, kernels }) });
    block.close();
    return { meta, sizeBytes: block.sizeBytes };
  }
}
