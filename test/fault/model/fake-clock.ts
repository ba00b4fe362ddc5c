import type { Clock, Timer } from '../../../lib/env/index.ts';

interface Due {
  readonly callback: () => void;
  readonly atMs: number;
}

/** A clock that moves when it is told to, and then runs the timers on its way, each in a turn of its own. */
export class FakeClock implements Clock {
  #nowMs: number;
  readonly #timers = new Set<Due>();

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { callback, atMs: this.#nowMs + delayMs };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Never back. Work that a timer begins, such as an fsync, has ended when the clock moves on. */
  async advance(toMs: number): Promise<void> {
    for (;;) {
      let next: Due | undefined;
      for (const timer of this.#timers) if (timer.atMs <= toMs && !(next && next.atMs <= timer.atMs)) next = timer;
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
      await settled();
    }
    this.#nowMs = Math.max(this.#nowMs, toMs);
  }
}

/** Lets what was begun come to its end: the file system of the tests answers within two turns. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
