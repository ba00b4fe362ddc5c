import type { Logger } from '../../env/index.ts';
import { layout, type SharedArena } from '../../kernels/index.ts';
import { assert, PromletError } from '../../model/index.ts';

/** The part of the budget that only series already known may use. */
const RESERVE_SHARE = 1 / 8;
/** Room in the arena below which no series is created: interning one and the tables that grow for it take far less. */
const SERIES_ROOM_BYTES = 256 << 20;
/** The most that one sample can take: its chunk moves to a larger block, or a new one is begun. */
const MAX_SAMPLE_GROWTH_BYTES = 2048;
const { CHUNK_DATA, CHUNK_SLACK, MAX_CHUNK_BYTES_BEFORE_APPEND, MAX_SAMPLE_BYTES } = layout;
assert(
  // A block's size class is at most half as large again.
  (CHUNK_DATA + MAX_CHUNK_BYTES_BEFORE_APPEND + MAX_SAMPLE_BYTES + CHUNK_SLACK) * 1.5 <= MAX_SAMPLE_GROWTH_BYTES,
  'memory budget: a chunk must fit what is kept for it',
);

type Level = 'free' | 'no-new-series' | 'full';

/**
 * What the head may take of the shared memory. Near the end of its budget it takes no new series, at the end no samples;
 * that is decided before anything is logged, so that what is logged can be applied, here and at the next replay.
 *
 *     0 ──────────── new series and samples ────────────┤ 7/8 ── samples of known series ──┤ limit ── nothing
 */
export class MemoryBudget {
  readonly #arena: SharedArena;
  readonly #logger: Logger;
  readonly limitBytes: number;
  #level: Level = 'free';

  /** @param limitBytes 0: as much as the arena can hold */
  constructor(arena: SharedArena, limitBytes: number, logger: Logger) {
    this.#arena = arena;
    this.#logger = logger;
    this.limitBytes = limitBytes;
  }

  /** @throws PromletError `storage/series-limit` */
  checkSeries(): void {
    const limitBytes = this.limitBytes * (1 - RESERVE_SHARE);
    const full = this.limitBytes > 0 && this.#arena.usedBytes >= limitBytes;
    if (!full && this.#arena.roomBytes >= SERIES_ROOM_BYTES) {
      this.#enter('free');
      return;
    }
    if (this.#level !== 'full') this.#enter('no-new-series');
    throw new PromletError('storage/series-limit', `no memory for new series: ${this.#use()}`);
  }

  /** @throws PromletError `storage/head-full` */
  checkSamples(count: number): void {
    const full = this.limitBytes > 0 && this.#arena.usedBytes >= this.limitBytes;
    if (!full && this.#arena.roomBytes >= count * MAX_SAMPLE_GROWTH_BYTES) return;
    this.#enter('full');
    throw new PromletError('storage/head-full', `no memory for ${count} samples: ${this.#use()}`);
  }

  /** Said when it changes, not once per scrape. */
  #enter(level: Level): void {
    if (level === this.#level) return;
    this.#level = level;
    const fields = { usedBytes: this.#arena.usedBytes, limitBytes: this.limitBytes };
    if (level === 'free') this.#logger.info(fields, 'there is memory for new series again');
    else if (level === 'full') this.#logger.error(fields, 'the head is full: no samples are taken');
    else this.#logger.error(fields, 'the head is almost full: no new series are taken');
  }

  #use(): string {
    const { usedBytes, roomBytes } = this.#arena;
    return `${usedBytes} bytes in use of ${this.limitBytes || usedBytes + roomBytes}`;
  }
}
