import { sortedQuantile, sortNaNFirst } from '../eval/quantile.ts';
import type { Window, WindowKernel } from './window-driver.ts';

/** When more than this part of a window is new or gone it is sorted anew. */
const MAX_CHANGED = 1 / 4;

/** The values of a window, sorted, NaN first. To slide it by a sample takes a fiftieth of sorting 240. */
class SortedWindow {
  #sorted = new Float64Array(256);
  /** The samples low … high − 1 of the series are in it. */
  #low = 0;
  #high = 0;

  begin({ length }: Window): void {
    if (this.#sorted.length < length) this.#sorted = new Float64Array(length * 2);
    this.#low = 0;
    this.#high = 0;
  }

  /** @returns a view that is good until the next call */
  slideTo({ values, low, high }: Window): Float64Array {
    const changed = low - this.#low + (high - this.#high);
    if (changed > (high - low) * MAX_CHANGED) {
      this.#low = low;
      this.#high = high;
      this.#sorted.set(values.subarray(low, high));
      const sorted = this.#sorted.subarray(0, high - low);
      sortNaNFirst(sorted);
      return sorted;
    }
    for (; this.#low < low; this.#low++) this.#remove(values[this.#low]!);
    for (; this.#high < high; this.#high++) this.#insert(values[this.#high]!);
    return this.#sorted.subarray(0, high - low);
  }

  #remove(value: number): void {
    const at = this.#placeOf(value);
    this.#sorted.copyWithin(at, at + 1, this.#high - this.#low);
  }

  #insert(value: number): void {
    const at = this.#placeOf(value);
    const sorted = this.#sorted;
    sorted.copyWithin(at + 1, at, this.#high - this.#low);
    sorted[at] = value;
  }

  /** Before all that are as large or larger. */
  #placeOf(value: number): number {
    const sorted = this.#sorted;
    let low = 0;
    let high = this.#high - this.#low;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBefore(sorted[middle]!, value)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** In the order of `sortNaNFirst`, where −0 stands before 0. */
function isBefore(a: number, b: number): boolean {
  if (a === 0 && b === 0) return 1 / a < 1 / b;
  return a < b || (a !== a && b === b);
}

/** `quantile_over_time`. */
export class QuantileKernel implements WindowKernel {
  result = 0;
  readonly #sorted = new SortedWindow();

  begin(window: Window): void {
    this.#sorted.begin(window);
  }

  evaluate(window: Window): boolean {
    this.result = sortedQuantile(window.params[0]![window.step]!, this.#sorted.slideTo(window));
    return true;
  }
}
