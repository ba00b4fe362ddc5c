import { type Clock, Gate } from '../env/index.ts';
import { ApiError } from './errors.ts';

/** Lets a bounded number of queries work at a time, first come, first served; waiting counts against their time. */
export class QueryGate {
  readonly #gate: Gate;
  readonly #clock: Clock;

  constructor(size: number, clock: Clock) {
    this.#gate = new Gate(size);
    this.#clock = clock;
  }

  /**
   * Runs `work` when its turn comes.
   * @param timeoutMs how long it may wait; `work` is told what is left, and how long it waited
   * @throws ApiError `timeout` when it waited in vain, `canceled` when `signal` aborts meanwhile
   */
  async run<T>(
    timeoutMs: number,
    signal: AbortSignal,
    work: (restMs: number, waitedMs: number) => Promise<T>,
  ): Promise<T> {
    const entersAtOnce = !signal.aborted && timeoutMs > 0 && this.#gate.tryEnter();
    const waitedMs = entersAtOnce ? 0 : await this.#wait(timeoutMs, signal);
    try {
      return await work(Math.max(timeoutMs - waitedMs, 1), waitedMs);
    } finally {
      this.#gate.leave();
    }
  }

  /** @returns how long it took */
  async #wait(timeoutMs: number, signal: AbortSignal): Promise<number> {
    const startMs = this.#clock.monotonicMs();
    const waiting = new AbortController();
    const onAbort = (): void => waiting.abort(new ApiError('canceled', 'query was canceled in query queue'));
    const onTimeout = (): void => waiting.abort(new ApiError('timeout', 'query timed out in query queue'));
    const timer = this.#clock.setTimer(onTimeout, timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await this.#gate.enter(waiting.signal);
      return this.#clock.monotonicMs() - startMs;
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
    }
  }
}
