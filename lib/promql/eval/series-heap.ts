/** Whether the series at index `a` stands above the one at `b`. */
export type IsAbove = (a: number, b: number) => boolean;

/** More elements than this are sorted by another algorithm in Go, whose order of equal elements is not reproduced. */
const INSERTION_SORT_LENGTH = 12;

/**
 * A binary heap of indices of series, as Go's container/heap keeps it: among equal values the place in the heap decides
 * which one `topk` drops, and in which order the rest is shown.
 */
export class SeriesHeap {
  readonly indices: number[] = [];
  readonly #isAbove: IsAbove;

  constructor(isAbove: IsAbove) {
    this.#isAbove = isAbove;
  }

  push(index: number): void {
    const { indices } = this;
    indices.push(index);
    let child = indices.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#isAbove(indices[child]!, indices[parent]!)) return;
      this.#swap(child, parent);
      child = parent;
    }
  }

  replaceTop(index: number): void {
    const { indices } = this;
    indices[0] = index;
    let parent = 0;
    for (;;) {
      const left = 2 * parent + 1;
      const right = left + 1;
      if (left >= indices.length) return;
      const child = right < indices.length && this.#isAbove(indices[right]!, indices[left]!) ? right : left;
      if (!this.#isAbove(indices[child]!, indices[parent]!)) return;
      this.#swap(child, parent);
      parent = child;
    }
  }

  /** Those that stand above the others come last. */
  sorted(): number[] {
    const { indices } = this;
    if (indices.length > INSERTION_SORT_LENGTH) {
      return indices.sort((a, b) => Number(this.#isAbove(a, b)) - Number(this.#isAbove(b, a)));
    }
    for (let i = 1; i < indices.length; i++) {
      for (let j = i; j > 0 && this.#isAbove(indices[j - 1]!, indices[j]!); j--) this.#swap(j, j - 1);
    }
    return indices;
  }

  #swap(i: number, j: number): void {
    const { indices } = this;
    const index = indices[i]!;
    indices[i] = indices[j]!;
    indices[j] = index;
  }
}
