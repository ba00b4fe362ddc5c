import type { Clock } from '../env/index.ts';
import { ApiError } from './errors.ts';

/** Lets a bounded number of requests work at a time, first come, first served. */
export class Gate {
  readonly #clock: Clock;
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(size: number, clock: Clock) {
    this.#free = size;
    this.#clock = clock;
  }

  /**
   * Runs `work` when its turn comes.
   * @param timeoutMs how long it may wait; `work` is told what is left
   * @throws ApiError `timeout` when it waited in vain, `canceled` when `signal` aborts meanwhile
   */
  async run<T>(timeoutMs: number, signal: AbortSignal, work: (restMs: number) => Promise<T>): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    if (this.#free > 0) this.#free--;
    else await this.#turn(timeoutMs, signal);
    try {
      return await work(Math.max(timeoutMs - (this.#clock.monotonicMs() - startMs), 1));
    } finally {
      this.#release();
    }
  }

  async #turn(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (error: ApiError) => {
      if (this.#waiting.delete(resolve)) reject(error);
    };
    const onAbort = () => leave(new ApiError('canceled', 'query was canceled in query queue'));
    const onTimeout = () => leave(new ApiError('timeout', 'query timed out in query queue'));
    this.#waiting.add(resolve);
    const timer = this.#clock.setTimer(onTimeout, timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await promise;
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Hands the place to the next in line, or frees it. */
  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
