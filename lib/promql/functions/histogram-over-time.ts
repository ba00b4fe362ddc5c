import type { FloatHistogram } from '../../model/index.ts';
import { HistogramMean } from '../histogram/histogram-mean.ts';
import { HistogramSum } from '../histogram/histogram-sum.ts';
import type { Window } from './window-driver.ts';
import type { HistogramNotes } from '../histogram/notes.ts';

/** `sum_over_time` or `avg_over_time` of a window of histograms. */
export function histogramTotal(
  window: Window,
  what: 'sum' | 'mean',
  notes: HistogramNotes,
): FloatHistogram | undefined {
  const { low, high } = window;
  const histograms = window.histograms!;
  const first = histograms[low]!;
  const total = what === 'sum' ? new HistogramSum(first) : new HistogramMean(first);
  let isReset = first.counterResetHint === 'reset';
  let isNotReset = first.counterResetHint === 'not_reset';
  for (let i = low + 1; i < high; i++) {
    const histogram = histograms[i]!;
    isReset ||= histogram.counterResetHint === 'reset';
    isNotReset ||= histogram.counterResetHint === 'not_reset';
    if (!total.add(histogram)) {
      notes.say('mixedSchemas');
      return undefined;
    }
  }
  if (isReset && isNotReset) notes.say('conflictingHints');
  if (total.hasReconciledBounds) notes.say('reconciledAggregation');
  return total.result();
}
