import assert from 'node:assert/strict';
import { type FloatHistogram, isStaleNaN, STALE_NAN } from '../../../../lib/model/index.ts';
import { sameHistogram, staleHistogram, validateHistogram } from '../../../../lib/tsdb/head/histogram-rules.ts';

const integer: FloatHistogram = {
  integer: true,
  counterResetHint: 'unknown',
  schema: 1,
  zeroThreshold: 0.001,
  zeroCount: 2,
  count: 9,
  sum: 12.5,
  positiveSpans: [
    { offset: -1, length: 2 },
    { offset: 3, length: 1 },
  ],
  negativeSpans: [{ offset: 0, length: 1 }],
  positiveBuckets: Float64Array.of(1, 0, 2),
  negativeBuckets: Float64Array.of(4),
  customValues: new Float64Array(0),
};
const { integer: _, ...float } = integer;
const custom: FloatHistogram = {
  ...float,
  schema: -53,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 3,
  positiveSpans: [{ offset: 0, length: 3 }],
  negativeSpans: [],
  negativeBuckets: new Float64Array(0),
  customValues: Float64Array.of(1, 5),
};

describe('tsdb: the rules for histograms', () => {
  const good: [string, FloatHistogram][] = [
    ['an integer histogram', integer],
    ['a float histogram', float],
    ['a float histogram whose count is not the sum of its buckets', { ...float, count: 1 }],
    ['custom buckets', custom],
    ['more observations than buckets hold, when some were NaN', { ...integer, sum: NaN, count: 100 }],
    ['a stale marker', staleHistogram(true, STALE_NAN)],
    ['a float NaN bucket', { ...float, positiveBuckets: Float64Array.of(1, NaN, 2) }],
  ];
  for (const [name, histogram] of good) it(`take ${name}`, () => validateHistogram(histogram));

  const bad: [string, FloatHistogram, string][] = [
    ['schema 9', { ...float, schema: 9 }, 'got schema 9'],
    [
      'too few buckets',
      { ...float, positiveBuckets: Float64Array.of(1) },
      'positive side: spans need 3 buckets, have 1 buckets: histogram spans specify different number of buckets than provided',
    ],
    [
      'a negative offset',
      {
        ...float,
        positiveSpans: [
          { offset: 0, length: 2 },
          { offset: -1, length: 1 },
        ],
      },
      'positive side: span number 2 with offset -1: histogram has a span whose offset is negative',
    ],
    [
      'a negative bucket',
      { ...float, negativeBuckets: Float64Array.of(-1.5) },
      'negative side: bucket number 1 has observation count of -1.5: histogram has a bucket whose observation count is negative',
    ],
    [
      'a negative count',
      { ...float, count: -1 },
      "observation count is  -1: histogram's observation count is negative",
    ],
    [
      'a count that the buckets do not make',
      { ...integer, count: 8 },
      "9 observations found in buckets, but the Count field is 8: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)",
    ],
    ['fewer observations than buckets hold', { ...integer, count: 8, sum: NaN }, 'should be at least the number'],
    ['a fraction among integers', { ...integer, count: 9.5, zeroCount: 2.5 }, 'a histogram of integers has a count'],
    [
      'custom bounds without their schema',
      { ...float, customValues: Float64Array.of(1) },
      'must not have custom bounds',
    ],
    ['a bound that is NaN', { ...custom, customValues: Float64Array.of(1, NaN) }, 'must not be NaN'],
    [
      'bounds out of order',
      { ...custom, customValues: Float64Array.of(5, 5) },
      'custom buckets: previous bound is 5.000000 and current is 5.000000: histogram custom bounds must be in strictly increasing order',
    ],
    ['a last bound of +Inf', { ...custom, customValues: Float64Array.of(1, Infinity) }, 'last +Inf bound'],
    [
      'too few bounds',
      { ...custom, customValues: Float64Array.of(1) },
      'custom buckets: only 1 custom bounds defined which is insufficient to cover total span length of 3: histogram custom bounds are too few',
    ],
    ['custom buckets with a zero bucket', { ...custom, zeroCount: 1 }, 'must have zero count of 0'],
    ['custom buckets with negative ones', { ...custom, negativeSpans: [{ offset: 0, length: 0 }] }, 'negative spans'],
    [
      'more buckets than there can be use for',
      { ...float, positiveBuckets: new Float64Array(50_001), positiveSpans: [{ offset: 0, length: 50_001 }] },
      'histogram has 50002 buckets, spans or bounds, of which 50000 are taken',
    ],
  ];
  for (const [name, histogram, message] of bad) {
    it(`refuse ${name}`, () => {
      assert.throws(
        () => validateHistogram(histogram),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'storage/invalid-histogram');
          assert.ok(error.message.includes(message), error.message);
          return true;
        },
      );
    });
  }

  it('take two for the same sample when only the reset hint and spans without buckets differ', () => {
    const other: FloatHistogram = {
      ...integer,
      counterResetHint: 'reset',
      positiveSpans: [
        { offset: -1, length: 2 },
        { offset: 1, length: 0 },
        { offset: 2, length: 1 },
        { offset: 7, length: 0 },
      ],
    };
    assert.ok(sameHistogram(integer, other));
    assert.ok(sameHistogram(staleHistogram(true, STALE_NAN), staleHistogram(true, STALE_NAN)));
  });

  const changes: Partial<FloatHistogram>[] = [
    { schema: 2 },
    { count: 10 },
    { sum: NaN },
    { zeroCount: 1 },
    { zeroThreshold: 0 },
    { positiveSpans: [{ offset: -1, length: 3 }] },
    { negativeBuckets: Float64Array.of(3) },
    { positiveBuckets: Float64Array.of(1, -0, 2) },
  ];
  for (const change of changes) {
    it(`tell ${Object.keys(change)[0]} apart`, () => assert.ok(!sameHistogram(integer, { ...integer, ...change })));
  }

  it('tell integers from floats, and the stale marker from another NaN', () => {
    assert.ok(!sameHistogram(integer, float));
    const stale = staleHistogram(false, STALE_NAN);
    assert.ok(isStaleNaN(stale.sum));
    assert.ok(!sameHistogram(stale, { ...stale, sum: NaN }));
  });
});
