import { isStartReset } from './start-times.ts';
import type { Window } from './window-driver.ts';

/** Where a counter was reset: found once per series, so that a window only looks at the resets in it. */
export class ResetList {
  /** Indices of samples below their predecessor, or with a start behind it, ascending. */
  #indices = new Int32Array(16);
  #count = 0;
  /** First reset behind the start of the last window. */
  #next = 0;

  /** Looks at a new series: at its values, and its start times if they are in the window. */
  find(window: Window): void {
    const { values, length, starts } = window;
    this.#count = 0;
    this.#next = 0;
    for (let i = 1; i < length; i++) {
      if (values[i]! < values[i - 1]! || (starts !== undefined && isStartReset(window, i))) this.#push(i);
    }
  }

  #push(index: number): void {
    if (this.#count === this.#indices.length) {
      const grown = new Int32Array(this.#indices.length * 2);
      grown.set(this.#indices);
      this.#indices = grown;
    }
    this.#indices[this.#count++] = index;
  }

  /** Resets of the series. */
  get count(): number {
    return this.#count;
  }

  /** `base` plus the values before each reset between the samples low … high − 1; `low` must not shrink from call to call. */
  lostBetween(values: Float64Array, low: number, high: number, base: number): number {
    const indices = this.#indices;
    const count = this.#count;
    while (this.#next < count && indices[this.#next]! <= low) this.#next++;
    let sum = base;
    for (let i = this.#next; i < count && indices[i]! < high; i++) sum += values[indices[i]! - 1]!;
    return sum;
  }
}
