import type { FloatHistogram } from '../../model/index.ts';
import type { RangeExtensionKind } from '../eval/range-selector.ts';
import { compacted, divided, withHint } from '../histogram/arithmetic.ts';
import { isCounterReset } from '../histogram/counter-reset.ts';
import { hasCustomBuckets } from '../histogram/custom-bounds.ts';
import { HistogramSum } from '../histogram/histogram-sum.ts';
import { type HistogramAt, interpolatedHistogram } from '../histogram/interpolate.ts';
import { added, subtracted } from '../histogram/noted-sums.ts';
import type { HistogramNotes } from '../histogram/notes.ts';
import type { DeltaKind } from './extrapolate.ts';
import type { Window } from './window-driver.ts';

/**
 * `rate`, `increase`, `delta` of a window of histograms of an `anchored` or `smoothed` selector (Prometheus
 * `extendedHistogramRate`): `ExtendedDeltaKernel`, of histograms.
 */
export function extendedHistogramDelta(
  window: Window,
  kind: DeltaKind,
  extension: RangeExtensionKind,
  notes: HistogramNotes,
): FloatHistogram | undefined {
  const { timestamps, low, high, startMs, endMs } = window;
  const isSmoothed = extension === 'smoothed';
  let behindStart = low;
  while (behindStart < high && timestamps[behindStart]! <= startMs) behindStart++;
  if (behindStart === high) return undefined;
  const first = Math.max(low, behindStart - 1);
  let last = high - 1;
  if (isSmoothed) {
    if (timestamps[first]! > endMs) return undefined;
    while (last > low && timestamps[last - 1]! >= endMs) last--;
  }
  if (!areOfOneSort(window, first, last, kind.isCounter, notes)) return undefined;
  const isLeftBetween = isSmoothed && timestamps[first]! < startMs;
  const isRightBetween = isSmoothed && last > low && timestamps[last]! > endMs;
  const left = isLeftBetween
    ? interpolatedHistogram(at(window, first), at(window, first + 1), startMs, kind.isCounter, notes)
    : window.histograms![first]!;
  const right = isRightBetween
    ? interpolatedHistogram(at(window, last - 1), at(window, last), endMs, kind.isCounter, notes)
    : window.histograms![last]!;
  if (left === undefined || right === undefined) return undefined;
  const isGauge = left.counterResetHint === 'gauge' && right.counterResetHint === 'gauge';
  if (!kind.isCounter && !isGauge) notes.say('notGauge');
  const delta = new HistogramSum(right);
  if (!subtracted(delta, left, notes)) return undefined;
  if (kind.isCounter) {
    const isReset = isLeftBetween && isCounterReset(window.histograms![first + 1]!, window.histograms![first]!);
    // The interpolation has taken account of a reset it went over.
    const between = isReset
      ? { previous: window.histograms![first + 1]!, from: first + 2 }
      : { previous: left, from: first + 1 };
    if (!addLost(delta, window, { ...between, last, right }, notes)) return undefined;
  }
  const result = compacted(withHint(delta.result(), 'gauge'));
  return kind.isRate ? divided(result, window.rangeMs / 1000) : result;
}

function at({ timestamps, histograms }: Window, i: number): HistogramAt {
  return { timeMs: timestamps[i]!, histogram: histograms![i]! };
}

function areOfOneSort(window: Window, first: number, last: number, isCounter: boolean, notes: HistogramNotes): boolean {
  const histograms = window.histograms!;
  const isCustom = hasCustomBuckets(histograms[first]!);
  for (let i = first; i <= last; i++) {
    if (hasCustomBuckets(histograms[i]!) !== isCustom) {
      notes.say('mixedSchemas');
      return false;
    }
    if (isCounter && histograms[i]!.counterResetHint === 'gauge') notes.say('notCounter');
  }
  return true;
}

/** The samples `from` … `last` − 1 and the ends of the window around them. */
interface Between {
  readonly previous: FloatHistogram;
  readonly from: number;
  readonly last: number;
  readonly right: FloatHistogram;
}

/** Adds what the counter lost by resets (Prometheus `correctForCounterResetsHistogram`). @returns false as `added` does */
function addLost(delta: HistogramSum, window: Window, between: Between, notes: HistogramNotes): boolean {
  const { from, last, right } = between;
  if (from > last) return true;
  let lost: HistogramSum | undefined;
  let { previous } = between;
  for (let i = from; i <= last; i++) {
    const current = i === last ? right : window.histograms![i]!;
    if (isCounterReset(current, previous)) {
      if (lost === undefined) lost = new HistogramSum(previous);
      else if (!added(lost, previous, notes)) return false;
    }
    previous = current;
  }
  return lost === undefined || added(delta, lost.result(), notes);
}
