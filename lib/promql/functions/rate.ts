import type { FloatHistogram } from '../../model/index.ts';
import { type DeltaKind, extrapolation } from './extrapolate.ts';
import { instantHistogramDelta } from './histogram-rate.ts';
import { ResetList } from './reset-list.ts';
import { isStartReset, startsWithin } from './start-times.ts';
import type { Window, WindowKernel } from './window-driver.ts';
import type { WindowSweeper } from '../eval/window-sweeper.ts';
import type { HistogramNotes } from '../histogram/notes.ts';

/**
 * `rate`, `increase`, `delta`: the difference over the window, extrapolated to its ends (Prometheus `extrapolatedRate`).
 * Counter resets of the series are found once; a step only looks at those in its window.
 */
export class DeltaKernel implements WindowKernel {
  result = 0;
  readonly #kind: DeltaKind;
  readonly #resets = new ResetList();

  constructor(kind: DeltaKind) {
    this.#kind = kind;
  }

  begin(window: Window): void {
    if (this.#kind.isCounter) this.#resets.find(window);
  }

  evaluate(window: Window): boolean {
    const { values, low, high } = window;
    const isStarted = startsWithin(window);
    if (high - low < 2 && !isStarted) return false;
    const first = values[low]!;
    let delta = values[high - 1]! - first;
    if (this.#kind.isCounter) {
      delta = this.#resets.lostBetween(values, low, high, delta);
      window.overlaps.note(window);
    }
    if (isStarted) delta += first;
    this.result = delta * extrapolation(window, this.#kind, first, delta);
    return true;
  }

  sweep(window: Window, sweeper: WindowSweeper): number {
    const { isCounter, isRate } = this.#kind;
    const rateSeconds = isRate ? window.rangeMs / 1000 : 0;
    return sweeper.run('sweepDelta', window, Number(isCounter), rateSeconds, sweeper.scratch(4 * window.length));
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
    const isReset = this.#isRate && (last < previous || isStartReset(window, high - 1));
    const delta = isReset ? last : last - previous;
    this.result = this.#isRate ? delta / (intervalMs / 1000) : delta;
    return true;
  }

  sweep(window: Window, sweeper: WindowSweeper): number {
    return sweeper.run('sweepInstantDelta', window, Number(this.#isRate));
  }
}

/** The same of series that hold histograms: of two floats or of two histograms. */
export class MixedInstantDeltaKernel implements WindowKernel {
  result = 0;
  histogram: FloatHistogram | undefined;
  readonly #floats: InstantDeltaKernel;
  readonly #isRate: boolean;
  readonly #notes: HistogramNotes;

  constructor(isRate: boolean, notes: HistogramNotes) {
    this.#floats = new InstantDeltaKernel(isRate);
    this.#isRate = isRate;
    this.#notes = notes;
  }

  begin(window: Window): void {
    this.#notes.begin(window.metric);
  }

  evaluate(window: Window): boolean {
    const { timestamps, histograms, low, high } = window;
    this.histogram = undefined;
    if (high - low < 2 || timestamps[high - 1] === timestamps[high - 2]) return false;
    const isHistogram = histograms?.[high - 1] !== undefined;
    if (isHistogram !== (histograms?.[high - 2] !== undefined)) {
      this.#notes.say('mixedSamples');
      return false;
    }
    if (!isHistogram) {
      this.#floats.evaluate(window);
      this.result = this.#floats.result;
      return true;
    }
    this.histogram = instantHistogramDelta(window, this.#isRate, this.#notes);
    this.result = NaN;
    return this.histogram !== undefined;
  }
}

/** `changes`, `resets`: counts pairs of neighbours, by one running count over the series. */
export class ChangesKernel implements WindowKernel {
  result = 0;
  readonly #isChange: (previous: number, current: number) => boolean;
  readonly #isHistogramChange: (previous: FloatHistogram, current: FloatHistogram) => boolean;
  /** `#counts[i]`: changes among the samples 0 … i. */
  #counts = new Int32Array(256);

  constructor(
    isChange: (previous: number, current: number) => boolean,
    isHistogramChange: (previous: FloatHistogram, current: FloatHistogram) => boolean,
  ) {
    this.#isChange = isChange;
    this.#isHistogramChange = isHistogramChange;
  }

  begin(window: Window): void {
    const { values, length, histograms } = window;
    if (this.#counts.length < length) this.#counts = new Int32Array(length * 2);
    let count = 0;
    this.#counts[0] = 0;
    for (let i = 1; i < length; i++) {
      const isChange =
        histograms === undefined ? this.#isChange(values[i - 1]!, values[i]!) : this.#isMixedChange(window, i);
      if (isChange || isStartReset(window, i)) count++;
      this.#counts[i] = count;
    }
  }

  /** From a float to a histogram or back is a change. */
  #isMixedChange({ values, histograms }: Window, i: number): boolean {
    const previous = histograms![i - 1];
    const current = histograms![i];
    if (previous === undefined || current === undefined) {
      return previous !== current || this.#isChange(values[i - 1]!, values[i]!);
    }
    return this.#isHistogramChange(previous, current);
  }

  evaluate(window: Window): boolean {
    this.result = this.#counts[window.high - 1]! - this.#counts[window.low]!;
    return true;
  }
}
