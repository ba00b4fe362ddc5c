import type { Clock } from '../../env/index.ts';
import type { BlockMeta } from '../block/meta.ts';
import type { PageCache } from '../block/page-cache.ts';
import { type CompactionJob, runJob } from './job.ts';
import { slicedPace } from '../pace.ts';

/** Where compaction happens. */
export interface CompactionRunner {
  /**
   * @returns undefined when no samples are left
   * @throws as `runJob`; the signal's reason, and then nothing is left of the block
   */
  run(job: CompactionJob, signal?: AbortSignal): Promise<BlockMeta | undefined>;
}

/** Compacts on this thread, a few ms at a time between its other work. */
export class InProcessRunner implements CompactionRunner {
  readonly #cache: PageCache;
  readonly #clock: Clock;

  constructor(cache: PageCache, clock: Clock) {
    this.#cache = cache;
    this.#clock = clock;
  }

  run(job: CompactionJob, signal?: AbortSignal): Promise<BlockMeta | undefined> {
    return runJob(job, { cache: this.#cache, pace: slicedPace(this.#clock, signal) });
  }
}
