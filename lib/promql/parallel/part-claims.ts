/** Word 0: parts that are taken from the front, in the lower half, and from the back, in the upper. */
const BACK = 1 << 16;
const FRONT_MASK = BACK - 1;
const MAX_PARTS = 0x7fff;

/** Consecutive parts: `from` up to, but for, `end`. */
export interface PartRange {
  readonly from: number;
  readonly end: number;
}

/**
 * Who computes which parts, agreed between threads without a word: whoever asked takes them from the front one by one, others
 * from the back several at a time, until they meet. Nobody waits for a part that nobody has begun.
 */
export class PartClaims {
  readonly count: number;
  /** To be handed on to the other threads. */
  readonly shared: SharedArrayBuffer;
  readonly #word: Int32Array;

  /** @param shared of the claims of another thread */
  constructor(count: number, shared = new SharedArrayBuffer(4)) {
    if (count > MAX_PARTS) throw new RangeError(`${count} parts`);
    this.count = count;
    this.shared = shared;
    this.#word = new Int32Array(shared);
  }

  /** @returns the part, undefined when all are taken */
  takeFirst(): number | undefined {
    return this.#take(() => 1, true)?.from;
  }

  /** A share of what is left: half for one of two. @param least for fewer it is not worth it */
  takeLast(sharers: number, least = 1): PartRange | undefined {
    return this.#take((left) => Math.max(1, Math.floor(left / sharers)), false, least);
  }

  /** All that are left. */
  takeRest(): PartRange | undefined {
    return this.#take((left) => left, true);
  }

  #take(countOf: (left: number) => number, isFirst: boolean, least = 1): PartRange | undefined {
    for (;;) {
      const word = Atomics.load(this.#word, 0);
      const front = word & FRONT_MASK;
      const back = word >>> 16;
      const left = this.count - front - back;
      const count = countOf(left);
      if (left === 0 || count < least) return undefined;
      const taken = word + count * (isFirst ? 1 : BACK);
      if (Atomics.compareExchange(this.#word, 0, word, taken) !== word) continue;
      const from = isFirst ? front : this.count - back - count;
      return { from, end: from + count };
    }
  }
}
