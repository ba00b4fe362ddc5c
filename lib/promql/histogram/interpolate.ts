import type { FloatHistogram } from '../../model/index.ts';
import { multiplied } from './arithmetic.ts';
import { isCounterReset } from './counter-reset.ts';
import { HistogramSum } from './histogram-sum.ts';
import { added, subtracted } from './noted-sums.ts';
import type { HistogramNotes } from './notes.ts';

/** A histogram of a series, and when it was. */
export interface HistogramAt {
  readonly timeMs: number;
  readonly histogram: FloatHistogram;
}

/**
 * The histogram at `timeMs` on the line from one sample to the next (Prometheus `interpolateHistograms`); a counter that
 * was reset between them starts at zero. Undefined, and noted, when only one of the two has custom buckets.
 */
export function interpolatedHistogram(
  before: HistogramAt,
  after: HistogramAt,
  timeMs: number,
  isCounter: boolean,
  notes: HistogramNotes,
): FloatHistogram | undefined {
  if (timeMs === before.timeMs) return before.histogram;
  if (timeMs === after.timeMs) return after.histogram;
  const fraction = (timeMs - before.timeMs) / (after.timeMs - before.timeMs);
  if (isCounter && isCounterReset(after.histogram, before.histogram)) return multiplied(after.histogram, fraction);
  const sum = new HistogramSum(after.histogram);
  if (!subtracted(sum, before.histogram, notes)) return undefined;
  sum.scale(fraction);
  added(sum, before.histogram, notes);
  return sum.result();
}
