import assert from 'node:assert/strict';
import { type FloatHistogram, OrderedBuckets } from '../../../../lib/model/index.ts';
import { isCounterReset } from '../../../../lib/promql/histogram/counter-reset.ts';
import { HistogramSum } from '../../../../lib/promql/histogram/histogram-sum.ts';
import { histogramQuantile, NaNNotes } from '../../../../lib/promql/histogram/quantile.ts';
import { trimmed } from '../../../../lib/promql/histogram/trim.ts';
import { histogramVariance } from '../../../../lib/promql/histogram/variance.ts';

/** Of schema 0, `counts` in the buckets (0.5, 1], (1, 2], … */
function histogram(counts: readonly number[], fields: Partial<FloatHistogram> = {}): FloatHistogram {
  return {
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.25,
    zeroCount: 0,
    count: counts.reduce((sum, count) => sum + count, 0),
    sum: 0,
    positiveSpans: [{ offset: 0, length: counts.length }],
    negativeSpans: [],
    positiveBuckets: Float64Array.from(counts),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
    ...fields,
  };
}

describe('promql: native histograms', () => {
  it('lose nothing when small counts are added to large ones that go again', () => {
    const sum = new HistogramSum(histogram([1, 1e16]));
    for (const counts of [
      [1e16, 1],
      [1, 1],
      [-1e16, -1e16],
    ])
      sum.add(histogram(counts));
    assert.deepEqual([...sum.result().positiveBuckets], [2, 2]);
  });

  it('do the same whether histograms share their spans or have spans of their own', () => {
    const first = histogram([1, 2, 3]);
    const same = { ...first, positiveBuckets: Float64Array.of(4, 5, 6) };
    const alike = histogram([4, 5, 6]);
    const shifted = histogram([4, 5, 6], { positiveSpans: [{ offset: 1, length: 3 }] });
    const bucketsOf = (other: FloatHistogram): unknown => {
      const sum = new HistogramSum(first);
      sum.add(other);
      const { positiveBuckets, positiveSpans } = sum.result();
      return [[...positiveBuckets], positiveSpans];
    };
    assert.deepEqual(bucketsOf(same), [[5, 7, 9], [{ offset: 0, length: 3 }]]);
    assert.deepEqual(bucketsOf(alike), bucketsOf(same));
    assert.deepEqual(bucketsOf(shifted), [[1, 6, 8, 6], [{ offset: 0, length: 4 }]]);
  });

  it('are not written to by sums they are part of', () => {
    const first = Object.freeze(histogram([1, 2]));
    const sum = new HistogramSum(first);
    sum.add(histogram([1, 1]));
    sum.scale(3);
    assert.deepEqual([...first.positiveBuckets], [1, 2]);
  });

  it('were reset when their count fell, whatever their buckets say', () => {
    assert.equal(isCounterReset(histogram([1, 2], { count: 2 }), histogram([1, 2])), true);
    assert.equal(isCounterReset(histogram([1, 2]), histogram([1, 2])), false);
    assert.equal(isCounterReset(histogram([1, 1]), histogram([1, 2], { counterResetHint: 'not_reset' })), true);
    assert.equal(isCounterReset(histogram([1, 1], { counterResetHint: 'not_reset' }), histogram([1, 2])), false);
  });

  it('are done with when they are damaged', () => {
    const noThreshold = histogram([1, 2], { zeroThreshold: NaN });
    const backwards = histogram([1, 2, 3], {
      positiveSpans: [
        { offset: 4, length: 1 },
        { offset: -7, length: 2 },
      ],
    });
    for (const damaged of [noThreshold, backwards]) {
      for (const [a, b] of [
        [damaged, histogram([1, 2])],
        [histogram([1, 2]), damaged],
        [damaged, damaged],
      ] as const) {
        const sum = new HistogramSum(a);
        assert.ok(sum.add(b));
        assert.equal(sum.result().schema, 0);
        assert.equal(typeof isCounterReset(a, b), 'boolean');
      }
    }
  });

  it('have quantiles within their buckets, also when the buckets count more than there are observations', () => {
    const rounded = histogram([1, 1 + 1e-9], { count: 2 });
    const q = histogramQuantile(0.2, rounded, new NaNNotes());
    assert.ok(q > 0.5 && q < 1);
    assert.equal(histogramQuantile(1, rounded, new NaNNotes()), 2);
    // A quarter into the bucket: one observation of the two that are said to be, out of the four in the bucket.
    assert.equal(histogramQuantile(0.5, histogram([4], { count: 2 }), new NaNNotes()), 2 ** -0.75);
  });

  it('stay what they are when there is nothing to trim, also when their numbers are NaN', () => {
    const spoilt = trimmed(histogram([1], { zeroCount: 2 }), NaN, 'above');
    assert.deepEqual([spoilt.count, spoilt.zeroCount, spoilt.positiveBuckets.length], [NaN, NaN, 0]);
    assert.equal(trimmed(spoilt, 2, 'above'), spoilt);
    const whole = histogram([1, 2]);
    assert.equal(trimmed(whole, 0.5, 'above'), whole);
  });

  it('have the variance of observations in the middle of their buckets', () => {
    // √2 / 2 and √2 twice each, and the mean that `sum` says.
    const values = [Math.SQRT1_2, Math.SQRT1_2, Math.SQRT2, Math.SQRT2];
    const mean = values.reduce((sum, value) => sum + value, 0) / 4;
    const expected = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 4;
    assert.ok(Math.abs(histogramVariance(histogram([2, 2], { sum: 4 * mean })) - expected) < 1e-12);
  });

  it('are gone through from the lowest bucket to the highest', () => {
    const buckets = new OrderedBuckets(
      histogram([1, 2], {
        zeroCount: 5,
        zeroThreshold: 0.75,
        negativeSpans: [{ offset: 1, length: 1 }],
        negativeBuckets: Float64Array.of(3),
      }),
    );
    const list = Array.from({ length: buckets.length }, (_, i) => [
      buckets.lower(i),
      buckets.upper(i),
      buckets.count(i),
      buckets.includesLower(i),
      buckets.includesUpper(i),
    ]);
    assert.deepEqual(list, [
      [-2, -1, 3, true, false],
      [-0.75, 0.75, 5, true, true],
      [0.75, 1, 1, false, true],
      [1, 2, 2, false, true],
    ]);
  });
});
