import type { FloatHistogram } from '../../model/index.ts';
import type { HistogramSum } from './histogram-sum.ts';
import type { HistogramNotes } from './notes.ts';

/** @returns false when only one of the two has custom buckets, which is noted */
export function added(sum: HistogramSum, other: FloatHistogram, notes: HistogramNotes): boolean {
  return combined(sum, other, 1, 'reconciledAddition', notes);
}

/** @returns false when only one of the two has custom buckets, which is noted */
export function subtracted(sum: HistogramSum, other: FloatHistogram, notes: HistogramNotes): boolean {
  return combined(sum, other, -1, 'reconciledSubtraction', notes);
}

function combined(
  sum: HistogramSum,
  other: FloatHistogram,
  sign: 1 | -1,
  reconciled: 'reconciledAddition' | 'reconciledSubtraction',
  notes: HistogramNotes,
): boolean {
  sum.hasReconciledBounds = false;
  if (!sum.add(other, sign)) {
    notes.say('mixedSchemas');
    return false;
  }
  if (sum.hasReconciledBounds) notes.say(reconciled);
  return true;
}
