import type { Clock, Random } from '../env/index.ts';

export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Quiet this long since the last failure: start over from `initialMs`. */
  readonly resetMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** Exponential back-off with jitter, so that a thousand agents do not come back to a restarted server at once. */
export class Backoff {
  readonly #options: BackoffOptions;
  #nextMs: number;
  #lastFailureMs = -Infinity;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#nextMs = options.initialMs;
  }

  /** How long to wait after the failure that just happened: between half and all of a doubling step. */
  next(): number {
    const { clock, random, initialMs, maxMs, resetMs } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lastFailureMs > resetMs) this.#nextMs = initialMs;
    this.#lastFailureMs = nowMs;
    const stepMs = this.#nextMs;
    this.#nextMs = Math.min(stepMs * 2, maxMs);
    return stepMs * (0.5 + random() / 2);
  }
}

/** Resolves after `delayMs`, or at once when `signal` is aborted. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimer(done, delayMs);
    signal.addEventListener('abort', done, { once: true });
  });
}
