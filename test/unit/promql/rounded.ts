import assert from 'node:assert/strict';
import type { FloatHistogram } from '../../../lib/model/index.ts';
import type { QueryResult } from '../../../lib/promql/index.ts';

export const HISTOGRAM: FloatHistogram = {
  counterResetHint: 'unknown',
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 1,
  count: 3,
  sum: 5,
  positiveSpans: [{ offset: 0, length: 1 }],
  negativeSpans: [],
  positiveBuckets: Float64Array.of(2),
  negativeBuckets: new Float64Array(0),
  customValues: new Float64Array(0),
};

/** What of two results must be the same. Sums may differ in their last digit by the order of adding. */
export function rounded({ value, annotations }: QueryResult): object {
  const number = (one: number): string => one.toPrecision(12);
  const notes = [...annotations.warnings, ...annotations.infos].map((note) => note.replace(/ \(.*\)$/, ''));
  if (value.type === 'vector') {
    return { notes, samples: value.samples.map((one) => [String(one.labels), number(one.value), one.histogram]) };
  }
  assert.ok(value.type === 'matrix');
  return {
    notes,
    series: value.series.map((one) => [
      String(one.labels),
      [...one.timestamps],
      Array.from(one.values, number),
      one.histograms,
    ]),
  };
}
