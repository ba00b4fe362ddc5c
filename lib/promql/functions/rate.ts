import { ResetList } from './reset-list.ts';
import type { Window, WindowKernel } from './window-driver.ts';

/** A gap of up to this many average intervals at an end of the window is taken for a missing sample. */
const EXTRAPOLATION_FACTOR = 1.1;

/**
 * `rate`, `increase`, `delta`: the difference over the window, extrapolated to its ends (Prometheus `extrapolatedRate`).
 * Counter resets of the series are found once; a step only looks at those in its window.
 */
export class DeltaKernel implements WindowKernel {
  result = 0;
  readonly #isCounter: boolean;
  readonly #isRate: boolean;
  readonly #resets = new ResetList();

  constructor(kind: { isCounter: boolean; isRate: boolean }) {
    this.#isCounter = kind.isCounter;
    this.#isRate = kind.isRate;
  }

  begin(window: Window): void {
    if (this.#isCounter) this.#resets.find(window.values, window.length);
  }

  evaluate(window: Window): boolean {
    const { timestamps, values, low, high } = window;
    const intervals = high - low - 1;
    if (intervals < 1) return false;
    const first = values[low]!;
    let delta = values[high - 1]! - first;
    if (this.#isCounter) delta = this.#resets.lostBetween(values, low, high, delta);
    const firstMs = timestamps[low]!;
    const lastMs = timestamps[high - 1]!;
    const sampledSeconds = (lastMs - firstMs) / 1000;
    const averageSeconds = sampledSeconds / intervals;
    const threshold = averageSeconds * EXTRAPOLATION_FACTOR;
    let toStart = (firstMs - window.startMs) / 1000;
    if (toStart >= threshold) toStart = averageSeconds / 2;
    if (this.#isCounter && delta > 0 && first >= 0) {
      // A counter cannot have been below zero: do not extrapolate to before it was.
      const toZero = sampledSeconds * (first / delta);
      if (toZero < toStart) toStart = toZero;
    }
    let toEnd = (window.endMs - lastMs) / 1000;
    if (toEnd >= threshold) toEnd = averageSeconds / 2;
    let factor = sampledSeconds === 0 ? 1 : (sampledSeconds + toStart + toEnd) / sampledSeconds;
    if (this.#isRate) factor /= window.rangeMs / 1000;
    this.result = delta * factor;
    return true;
  }
}

/** `irate`, `idelta`: from the last two samples of the window (Prometheus `instantValue`). */
export class InstantDeltaKernel implements WindowKernel {
  result = 0;
  readonly #isRate: boolean;

  constructor(isRate: boolean) {
    this.#isRate = isRate;
  }

  evaluate(window: Window): boolean {
    const { timestamps, values, low, high } = window;
    if (high - low < 2) return false;
    const last = values[high - 1]!;
    const previous = values[high - 2]!;
    const intervalMs = timestamps[high - 1]! - timestamps[high - 2]!;
    if (intervalMs === 0) return false;
    const isReset = this.#isRate && last < previous;
    const delta = isReset ? last : last - previous;
    this.result = this.#isRate ? delta / (intervalMs / 1000) : delta;
    return true;
  }
}

/** `changes`, `resets`: counts pairs of neighbours, by one running count over the series. */
export class ChangesKernel implements WindowKernel {
  result = 0;
  readonly #isChange: (previous: number, current: number) => boolean;
  /** `#counts[i]`: changes among the samples 0 … i. */
  #counts = new Int32Array(256);

  constructor(isChange: (previous: number, current: number) => boolean) {
    this.#isChange = isChange;
  }

  begin(window: Window): void {
    const { values, length } = window;
    if (this.#counts.length < length) this.#counts = new Int32Array(length * 2);
    let count = 0;
    this.#counts[0] = 0;
    for (let i = 1; i < length; i++) {
      if (this.#isChange(values[i - 1]!, values[i]!)) count++;
      this.#counts[i] = count;
    }
  }

  evaluate(window: Window): boolean {
    this.result = this.#counts[window.high - 1]! - this.#counts[window.low]!;
    return true;
  }
}
