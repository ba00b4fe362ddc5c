/** Word 0: parts that are taken from the front, in the lower half, and from the back, in the upper. */
const BACK = 1 << 16;
const FRONT_MASK = BACK - 1;
const MAX_PARTS = 0x7fff;

/**
 * Who computes which part, agreed between threads without a word: whoever asked takes parts from the front, the others from
 * the back, until they meet. Nobody waits for a part that nobody has begun.
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
    return this.#take(1, (front) => front);
  }

  takeLast(): number | undefined {
    return this.#take(BACK, (_, back) => this.count - 1 - back);
  }

  /** All that are left, ascending. */
  takeRest(): number[] {
    const rest: number[] = [];
    for (let part = this.takeFirst(); part !== undefined; part = this.takeFirst()) rest.push(part);
    return rest;
  }

  #take(step: number, partOf: (front: number, back: number) => number): number | undefined {
    for (;;) {
      const word = Atomics.load(this.#word, 0);
      const front = word & FRONT_MASK;
      const back = word >>> 16;
      if (front + back >= this.count) return undefined;
      if (Atomics.compareExchange(this.#word, 0, word, word + step) === word) return partOf(front, back);
    }
  }
}
