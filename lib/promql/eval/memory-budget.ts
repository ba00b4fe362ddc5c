import { PromletError } from '../../model/index.ts';

/** What is taken of the memory for all requests. */
export interface MemoryShare {
  /** Of all together. */
  readonly maxBytes: number;
  /** Takes what is missing to so many bytes; is asked with more each time. @returns false when the others have too much for that */
  cover(bytes: number): boolean;
}

export interface MemoryBudgetOptions {
  readonly maxBytes: number;
  readonly pool?: MemoryShare | undefined;
}

/**
 * Memory of one request, by estimate: what its query evaluates, what was fetched for it, what it answers. Its share of the
 * memory for all is given back by whoever opened it, when nothing of the request is left.
 */
export class MemoryBudget {
  readonly maxBytes: number;
  readonly #pool: MemoryShare | undefined;
  /** By others than who calls `require`. */
  #heldBytes = 0;
  /** Known to be covered by the pool. */
  #coveredBytes = 0;

  constructor({ maxBytes, pool }: MemoryBudgetOptions) {
    this.maxBytes = maxBytes;
    this.#pool = pool;
  }

  /** Until `release`, also when it throws. @throws PromletError as `require` */
  hold(bytes: number): void {
    this.#heldBytes += bytes;
    this.require(0);
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  /**
   * Before so many bytes are there beside those that are held.
   * @throws PromletError `promql/too-many-bytes`, `query/unavailable` when other requests have too much for it
   */
  require(bytes: number): void {
    const needed = this.#heldBytes + bytes;
    if (needed > this.maxBytes) {
      const what =
        `query processing would take more than ${this.maxBytes} bytes of memory (--query.max-bytes): ` +
        'select fewer series, a shorter time or a wider step';
      throw new PromletError('promql/too-many-bytes', what);
    }
    if (needed > this.#coveredBytes && this.#pool !== undefined) this.#cover(needed, this.#pool);
  }

  #cover(needed: number, pool: MemoryShare): void {
    if (!pool.cover(needed)) {
      const what =
        `all queries together would take more than ${pool.maxBytes} bytes of memory (--query.max-total-bytes): ` +
        'ask again later, or select fewer series, a shorter time or a wider step';
      throw new PromletError('query/unavailable', what);
    }
    this.#coveredBytes = needed;
  }
}
