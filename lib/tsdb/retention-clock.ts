/** A step ahead of what elapsed that is believed at once: NTP's, a paused machine's, a scrape interval. */
const TOLERATED_LEAP_MS = 3_600_000;
/** Larger ones are believed when they have lasted this long. */
const CONFIRMED_AFTER_MS = 86_400_000;

/**
 * What retention takes for now: the earlier of the clock and the newest sample, but no further ahead of the data found at
 * start than time has really passed since. A clock that leaps ahead stamps samples too, so neither of the two gives it away;
 * such a leap deletes nothing until it has lasted a day. (An agent that was off for a month keeps what it has a day longer.)
 */
export class RetentionClock {
  /** Monotonic time 0 as the data has it. */
  #originMs: number;
  /** Monotonic time since when the clock has been ahead. */
  #leapSinceMs: number | undefined;

  /**
   * @param newestMs the newest time in the database when it was opened, -Infinity when it was empty
   * @param monotonicMs when that was
   */
  constructor(newestMs: number, monotonicMs: number) {
    this.#originMs = newestMs - monotonicMs;
  }

  /** True while a leap waits to be confirmed. */
  get leapt(): boolean {
    return this.#leapSinceMs !== undefined;
  }

  /** @param newestMs of all samples, -Infinity when there are none */
  now(clockMs: number, newestMs: number, monotonicMs: number): number {
    const nowMs = Math.min(clockMs, newestMs);
    if (nowMs === -Infinity) return nowMs;
    // The first data of an empty database.
    if (this.#originMs === -Infinity) this.#originMs = nowMs - monotonicMs;
    const expectedMs = this.#originMs + monotonicMs;
    if (nowMs <= expectedMs + TOLERATED_LEAP_MS) {
      this.#leapSinceMs = undefined;
      return nowMs;
    }
    this.#leapSinceMs ??= monotonicMs;
    if (monotonicMs - this.#leapSinceMs < CONFIRMED_AFTER_MS) return expectedMs;
    this.#originMs = nowMs - monotonicMs;
    this.#leapSinceMs = undefined;
    return nowMs;
  }
}
