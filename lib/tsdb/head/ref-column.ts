import type { SeriesRef } from '../../storage/index.ts';

const PAGE_BITS = 10;
const PAGE_COUNT = 1 << PAGE_BITS;

/**
 * One number below 2^32 per series, 0 meaning none, in pages of refs that are there only while one of theirs is set. For
 * what only some series have: nothing while none does.
 */
export class RefColumn {
  readonly #pages: (Uint32Array | undefined)[] = [];
  /** Per page, how many are not 0. */
  readonly #used: number[] = [];
  #size = 0;

  /** How many are not 0. */
  get size(): number {
    return this.#size;
  }

  get(ref: SeriesRef): number {
    return this.#pages[ref >>> PAGE_BITS]?.[ref & (PAGE_COUNT - 1)] ?? 0;
  }

  set(ref: SeriesRef, value: number): void {
    const number = ref >>> PAGE_BITS;
    let page = this.#pages[number];
    if (page === undefined) {
      if (value === 0) return;
      while (this.#pages.length <= number) this.#pages.push(undefined);
      this.#pages[number] = page = new Uint32Array(PAGE_COUNT);
      this.#used[number] = 0;
    }
    const slot = ref & (PAGE_COUNT - 1);
    const change = (value === 0 ? 0 : 1) - (page[slot] === 0 ? 0 : 1);
    page[slot] = value;
    this.#size += change;
    if ((this.#used[number]! += change) === 0) this.#pages[number] = undefined;
  }

  /** Series and values in the order of refs. Setting the series at hand is allowed meanwhile. */
  *entries(): IterableIterator<readonly [ref: SeriesRef, value: number]> {
    for (let number = 0; number < this.#pages.length; number++) {
      const page = this.#pages[number];
      if (page === undefined) continue;
      for (let slot = 0; slot < PAGE_COUNT; slot++) {
        const value = page[slot]!;
        if (value !== 0) yield [number * PAGE_COUNT + slot, value];
      }
    }
  }
}
