import type { Clock } from '../../lib/env/index.ts';
import { PromletError } from '../../lib/model/index.ts';

/** The most that is done of a request on the server's thread, as `Spend` counts: 2 ms. Refuses it before it is begun. */
const MAX_WORK = 200_000;
/** When it takes longer than announced: code is not compiled yet, a page is read from a slow disk, or the machine is busy. */
const MAX_MS = 4;

/**
 * What one request may use of the server's thread. The clock is looked at whenever work is announced, which is before every
 * series, label value and regex match: what lies between two looks is short.
 */
export class Allowance {
  readonly #clock: Clock;
  readonly #startMs: number;
  #work = 0;
  /** Whether more was asked for than there is. What came of the request then is not to be used. */
  isExceeded = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
  }

  get usedMs(): number {
    return this.#clock.monotonicMs() - this.#startMs;
  }

  /** Whether all the work was allowed for. */
  get isSlow(): boolean {
    return this.#work <= MAX_WORK;
  }

  /** @throws PromletError `query/too-large`, for nobody to see */
  readonly spend = (work: number): void => {
    this.#work += work;
    if (!this.isExceeded && this.#work <= MAX_WORK && this.usedMs <= MAX_MS) return;
    this.isExceeded = true;
    throw new PromletError('query/too-large', 'too large to be answered on the thread of the server');
  };
}
