import type { FloatHistogram } from '../../model/index.ts';
import type { Window, WindowKernel } from './window-driver.ts';
import type { HistogramNotes } from '../histogram/notes.ts';

/** Where the histograms are among the samples of a series. */
export class HistogramPlaces {
  /** `#counts[i]`: histograms among the samples 0 … i − 1. */
  #counts = new Int32Array(256);

  find({ histograms, length }: Window): void {
    if (this.#counts.length <= length) this.#counts = new Int32Array(length * 2);
    let count = 0;
    for (let i = 0; i < length; i++) {
      if (histograms?.[i] !== undefined) count++;
      this.#counts[i + 1] = count;
    }
  }

  countIn(low: number, high: number): number {
    return this.#counts[high]! - this.#counts[low]!;
  }
}

/** Computes a window of histograms only; undefined is "no value". */
export type HistogramWindowFunction = (window: Window) => FloatHistogram | undefined;

/** Windows over series that hold histograms: floats as ever, histograms apart, no value where both are in one window. */
export class MixedKernel implements WindowKernel {
  result = 0;
  histogram: FloatHistogram | undefined;
  readonly #floats: WindowKernel;
  readonly #ofHistograms: HistogramWindowFunction;
  readonly #notes: HistogramNotes;
  readonly #places = new HistogramPlaces();
  readonly #begin: ((window: Window) => void) | undefined;

  constructor(
    floats: WindowKernel,
    ofHistograms: HistogramWindowFunction,
    notes: HistogramNotes,
    begin?: (window: Window) => void,
  ) {
    this.#floats = floats;
    this.#ofHistograms = ofHistograms;
    this.#notes = notes;
    this.#begin = begin;
  }

  begin(window: Window): void {
    this.#floats.begin?.(window);
    this.#begin?.(window);
    this.#places.find(window);
    this.#notes.begin(window.metric);
  }

  evaluate(window: Window): boolean {
    const { low, high } = window;
    const count = this.#places.countIn(low, high);
    this.histogram = undefined;
    if (count === 0) {
      if (!this.#floats.evaluate(window)) return false;
      this.result = this.#floats.result;
      return true;
    }
    if (count < high - low) {
      this.#notes.say('mixedSamples');
      return false;
    }
    this.histogram = this.#ofHistograms(window);
    this.result = NaN;
    return this.histogram !== undefined;
  }
}
