import type { Clock, Timer } from '../../lib/env/index.ts';

/** A clock that shows the time of the data that is written; durations are real. */
export class DataClock implements Clock {
  #nowMs: number;
  readonly #timers = new Map<Timer, { readonly dueMs: number; readonly callback: () => void }>();

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return performance.now();
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer: Timer = { cancel: () => this.#timers.delete(timer) };
    this.#timers.set(timer, { dueMs: this.#nowMs + delayMs, callback });
    return timer;
  }

  /** Moves on and fires what is due. */
  advance(toMs: number): void {
    this.#nowMs = toMs;
    for (const [timer, { dueMs, callback }] of this.#timers) {
      if (dueMs > toMs || !this.#timers.delete(timer)) continue;
      callback();
    }
  }
}
