import type { Clock } from '../../lib/env/index.ts';

/** Of the time that passes, what may be spent here. */
const SHARE = 0.5;
/** What was left unused is good for so much later. */
const MAX_SAVED_MS = 20;
/** Handing a request to a thread and taking its answer costs this thread as much: it is not counted. */
const FREE_MS = 0.25;
/** What takes longer was kept waiting, by other programs or by a disk. */
const MAX_COUNTED_MS = 4;
/** More that wait for their turn of the event loop are better served by threads. */
const MAX_WAITING = 8;

/**
 * The share that work other than scraping has of the server's thread: one piece of it in each turn of the event loop, so that
 * a scrape never waits for more than one, and a bounded part of the time.
 */
export class TurnShare {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #isTaken = false;
  #savedMs = MAX_SAVED_MS;
  #countedAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedAtMs = clock.monotonicMs();
  }

  /** Resolves in a turn that is free. @returns undefined when the share is used up */
  enter(): Promise<void> | undefined {
    const nowMs = this.#clock.monotonicMs();
    this.#savedMs = Math.min(MAX_SAVED_MS, this.#savedMs + SHARE * (nowMs - this.#countedAtMs));
    this.#countedAtMs = nowMs;
    if (this.#savedMs <= 0 || this.#waiting.length >= MAX_WAITING) return undefined;
    if (this.#isTaken) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#take();
    return Promise.resolve();
  }

  /** Counts what was done since it was entered. */
  used(ms: number): void {
    this.#savedMs -= Math.max(0, Math.min(ms, MAX_COUNTED_MS) - FREE_MS);
  }

  #take(): void {
    this.#isTaken = true;
    setImmediate(() => {
      this.#isTaken = false;
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#take();
      next();
    });
  }
}
