import type { RangeExtensionKind } from '../eval/range-selector.ts';
import { ResetList } from './reset-list.ts';
import type { Window, WindowKernel } from './window-driver.ts';

/**
 * `rate`, `increase`, `delta` over an `anchored` or `smoothed` selector (Prometheus `extendedRate`): nothing is
 * extrapolated, the values at both ends of the window come from samples next to it.
 *
 *     anchored:  left is the last sample at or before the start, right the last sample of the window
 *     smoothed:  left and right lie on the lines between the samples around the start and around the end
 */
export class ExtendedDeltaKernel implements WindowKernel {
  result = 0;
  readonly #isCounter: boolean;
  readonly #isRate: boolean;
  readonly #isSmoothed: boolean;
  readonly #resets = new ResetList();
  /** First sample behind the start, and first at or behind the end of the window; both only grow. */
  #behindStart = 0;
  #atEnd = 0;

  constructor(kind: { isCounter: boolean; isRate: boolean }, extension: RangeExtensionKind) {
    this.#isCounter = kind.isCounter;
    this.#isRate = kind.isRate;
    this.#isSmoothed = extension === 'smoothed';
  }

  begin(window: Window): void {
    this.#behindStart = 0;
    this.#atEnd = 0;
    if (this.#isCounter) this.#resets.find(window);
  }

  evaluate(window: Window): boolean {
    const { timestamps, values, low, high, startMs, endMs } = window;
    let behindStart = Math.max(this.#behindStart, low);
    while (behindStart < high && timestamps[behindStart]! <= startMs) behindStart++;
    this.#behindStart = behindStart;
    if (behindStart === high) return false;
    let first = Math.max(low, behindStart - 1);
    let last = high - 1;
    if (this.#isSmoothed) {
      let atEnd = Math.max(this.#atEnd, low);
      while (atEnd < high && timestamps[atEnd]! < endMs) atEnd++;
      this.#atEnd = atEnd;
      last = Math.min(last, atEnd);
      if (timestamps[first]! > endMs) return false;
    }
    const left =
      this.#isSmoothed && timestamps[first]! < startMs ? this.#interpolated(window, first, startMs) : values[first]!;
    const right =
      this.#isSmoothed && last > low && timestamps[last]! > endMs
        ? this.#interpolated(window, last - 1, endMs)
        : values[last]!;
    let delta = right - left;
    if (this.#isCounter) {
      if (timestamps[first]! <= startMs) first++;
      if (timestamps[last]! >= endMs) last--;
      delta += this.#correction(left, right, values, first, last);
    }
    this.result = this.#isRate ? delta / (window.rangeMs / 1000) : delta;
    return true;
  }

  /** The value at `atMs` on the line from sample `i` to the next; a counter that was reset between them starts at zero. */
  #interpolated(window: Window, i: number, atMs: number): number {
    const { timestamps, values } = window;
    const isReset = this.#isCounter && values[i + 1]! < values[i]!;
    const from = isReset ? 0 : values[i]!;
    const elapsedMs = atMs - timestamps[i]!;
    return from + ((values[i + 1]! - from) * elapsedMs) / (timestamps[i + 1]! - timestamps[i]!);
  }

  /** What the counter lost by resets from `left` over the samples first … last to `right`. */
  #correction(left: number, right: number, values: Float64Array, first: number, last: number): number {
    if (first > last) return right < left ? left : 0;
    const atStart = values[first]! < left ? left : 0;
    const between = this.#resets.lostBetween(values, first, last + 1, atStart);
    return right < values[last]! ? between + values[last]! : between;
  }
}
