import type { FloatHistogram } from '../../model/index.ts';
import { compacted, divided, multiplied, withHint } from '../histogram/arithmetic.ts';
import { isCounterReset } from '../histogram/counter-reset.ts';
import { hasCustomBuckets } from '../histogram/custom-bounds.ts';
import { HistogramSum } from '../histogram/histogram-sum.ts';
import { added, subtracted } from '../histogram/noted-sums.ts';
import { type DeltaKind, extrapolation } from './extrapolate.ts';
import { isStartReset, startsWithin } from './start-times.ts';
import type { Window } from './window-driver.ts';
import type { HistogramNotes } from '../histogram/notes.ts';

const UNKNOWN = 0;
const NO_RESET = 1;
const RESET = 2;

/** Counter resets between neighbouring histograms of a series, each looked for once. */
export class HistogramResets {
  #found = new Uint8Array(256);

  begin({ length }: Window): void {
    if (this.#found.length < length) this.#found = new Uint8Array(length * 2);
    else this.#found.fill(UNKNOWN, 0, length);
  }

  /** The counter was reset between the samples `i` − 1 and `i`, both histograms. */
  isAt(i: number, window: Window): boolean {
    const { histograms } = window;
    if (this.#found[i] === UNKNOWN) {
      const isReset = isStartReset(window, i) || isCounterReset(histograms![i]!, histograms![i - 1]!);
      this.#found[i] = isReset ? RESET : NO_RESET;
    }
    return this.#found[i] === RESET;
  }
}

/** `rate`, `increase`, `delta` of a window of histograms (Prometheus `histogramRate`); a gauge. */
export function histogramDelta(
  window: Window,
  kind: DeltaKind,
  resets: HistogramResets,
  notes: HistogramNotes,
): FloatHistogram | undefined {
  const { low, high } = window;
  const first = window.histograms![low]!;
  const isStarted = startsWithin(window);
  if (high - low < 2) return isStarted ? multiplied(first, extrapolation(window, kind, 0, 0)) : undefined;
  const delta = kind.isCounter ? counterDelta(window, resets, notes) : gaugeDelta(window, notes);
  if (delta === undefined) return undefined;
  let result = compacted(withHint(delta.result(), 'gauge'));
  if (isStarted) {
    const sum = new HistogramSum(result);
    if (!added(sum, first, notes)) return undefined;
    result = sum.result();
  }
  return multiplied(result, extrapolation(window, kind, first.count, result.count));
}

function gaugeDelta({ low, high, histograms }: Window, notes: HistogramNotes): HistogramSum | undefined {
  const first = histograms![low]!;
  const last = histograms![high - 1]!;
  const delta = new HistogramSum(last);
  if (!subtracted(delta, first, notes)) return undefined;
  if (first.counterResetHint !== 'gauge' || last.counterResetHint !== 'gauge') notes.say('notGauge');
  return delta;
}

function counterDelta(window: Window, resets: HistogramResets, notes: HistogramNotes): HistogramSum | undefined {
  const { low, high } = window;
  const histograms = window.histograms!;
  const last = histograms[high - 1]!;
  // Behind a reset the first sample does not matter, whatever its buckets are.
  const first = resets.isAt(low + 1, window) ? emptyLike(histograms[low + 1]!) : histograms[low]!;
  let isGauge = histograms[low]!.counterResetHint === 'gauge' || last.counterResetHint === 'gauge';
  if (hasCustomBuckets(last) !== hasCustomBuckets(first)) {
    if (isGauge) notes.say('notCounter');
    notes.say('mixedSchemas');
    return undefined;
  }
  let schema = Math.min(first.schema, last.schema);
  for (let i = low + 1; i < high - 1; i++) {
    const histogram = histograms[i]!;
    if (hasCustomBuckets(histogram) !== hasCustomBuckets(first)) {
      notes.say('mixedSchemas');
      return undefined;
    }
    isGauge ||= histogram.counterResetHint === 'gauge';
    schema = Math.min(schema, histogram.schema);
  }
  window.overlaps.note(window);
  if (isGauge) notes.say('notCounter');
  const delta = new HistogramSum(last);
  delta.reduceTo(schema);
  subtracted(delta, first, notes);
  for (let i = low + 1; i < high; i++) {
    const previous = i === low + 1 ? first : histograms[i - 1]!;
    const isReset = previous === histograms[i - 1] ? resets.isAt(i, window) : isCounterReset(histograms[i]!, previous);
    if (isReset) added(delta, previous, notes);
  }
  return delta;
}

/** Nothing counted, in the layout of another. */
function emptyLike({ schema, customValues }: FloatHistogram): FloatHistogram {
  const none = new Float64Array(0);
  return {
    counterResetHint: 'unknown',
    schema,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: none,
    negativeBuckets: none,
    customValues,
  };
}

/** `irate`, `idelta` of the last two samples, both histograms (Prometheus `instantValue`); a gauge. */
export function instantHistogramDelta(
  window: Window,
  isRate: boolean,
  notes: HistogramNotes,
): FloatHistogram | undefined {
  const { timestamps, high } = window;
  const last = window.histograms![high - 1]!;
  const previous = window.histograms![high - 2]!;
  const intervalMs = timestamps[high - 1]! - timestamps[high - 2]!;
  const hints = [last.counterResetHint, previous.counterResetHint];
  if (isRate && hints.includes('gauge')) notes.say('notCounter');
  if (!isRate && hints.some((hint) => hint !== 'gauge')) notes.say('notGauge');
  const delta = new HistogramSum(last);
  const isReset = isRate && (isStartReset(window, high - 1) || isCounterReset(last, previous));
  if (!isReset && !subtracted(delta, previous, notes)) return undefined;
  const result = compacted(withHint(delta.result(), 'gauge'));
  return isRate ? divided(result, intervalMs / 1000) : result;
}
