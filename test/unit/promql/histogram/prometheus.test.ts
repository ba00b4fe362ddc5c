import assert from 'node:assert/strict';
import { bucketIndexes, type FloatHistogram } from '../../../../lib/model/index.ts';
import { compacted, divided, multiplied } from '../../../../lib/promql/histogram/arithmetic.ts';
import { isCounterReset } from '../../../../lib/promql/histogram/counter-reset.ts';
import { equalHistograms } from '../../../../lib/promql/histogram/equality.ts';
import { HistogramSum } from '../../../../lib/promql/histogram/histogram-sum.ts';
import { histogramFraction, histogramQuantile, NaNNotes } from '../../../../lib/promql/histogram/quantile.ts';
import { histogramText } from '../../../../lib/promql/histogram/text.ts';
import { trimmed } from '../../../../lib/promql/histogram/trim.ts';
import { type Case, CASES, fractionRanges, goNumber, QUANTILES, read } from './prometheus-cases.ts';

const RELATIVE_TOLERANCE = 1e-13;

function assertClose(actual: number, expected: number, what: string): void {
  const isSame = Object.is(actual, expected) || actual === expected;
  const difference = Math.abs(actual - expected);
  const isClose = isSame || difference <= RELATIVE_TOLERANCE * Math.max(Math.abs(actual), Math.abs(expected));
  assert.ok(isClose, `${what}: ${actual}, not ${expected}`);
}

function assertSame(actual: FloatHistogram, expected: FloatHistogram): void {
  const layout = (h: FloatHistogram) => [
    h.counterResetHint,
    h.schema,
    h.zeroThreshold,
    bucketIndexes(h.positiveSpans),
    bucketIndexes(h.negativeSpans),
    [...h.customValues],
  ];
  assert.deepEqual(layout(actual), layout(expected));
  for (const field of ['count', 'sum', 'zeroCount'] as const) assertClose(actual[field], expected[field], field);
  for (const field of ['positiveBuckets', 'negativeBuckets'] as const) {
    assert.equal(actual[field].length, expected[field].length);
    for (const [i, count] of expected[field].entries()) assertClose(actual[field][i]!, count, `${field}[${i}]`);
  }
}

/** Runs a check on every case and tells which one fails. */
function forEachCase(check: (one: Case) => void): void {
  for (const [i, one] of CASES.entries()) {
    try {
      check(one);
    } catch (error) {
      throw new Error(`case ${i + 1}: ${(error as Error).message}`, { cause: error });
    }
  }
}

describe('promql: native histograms, beside Prometheus 3.15', () => {
  for (const [name, sign] of [
    ['sum', 1],
    ['difference', -1],
  ] as const) {
    it(`computes the ${name} of two`, () => {
      forEachCase((one) => {
        const expected = one[name];
        const sum = new HistogramSum(read(one.a));
        assert.equal(sum.add(read(one.b), sign), expected !== null);
        if (expected === null) return;
        assertSame(sum.result(), read(expected.h));
        assert.equal(sum.hasConflictingHints, expected.conflict);
        assert.equal(sum.hasReconciledBounds, expected.reconciled);
      });
    });
  }

  it('adds several with compensation, large ones that cancel out too', () => {
    let count = 0;
    forEachCase(({ a, parts, total }) => {
      if (parts === undefined || total === undefined) return;
      count++;
      const sum = new HistogramSum(read(a));
      for (const part of parts) sum.add(read(part));
      assertSame(sum.result(), read(total));
    });
    assert.ok(count > CASES.length / 2);
  });

  it('multiplies and divides', () => {
    forEachCase((one) => {
      assertSame(multiplied(read(one.a), -1.5), read(one.mul));
      assertSame(divided(read(one.a), 3), read(one.div));
    });
  });

  it('finds counter resets', () => {
    forEachCase(({ a, b, grown, reset, resetOther }) => {
      assert.equal(isCounterReset(read(grown), read(a)), reset);
      assert.equal(isCounterReset(read(b), read(a)), resetOther);
    });
    const resets = CASES.filter(({ reset }) => reset).length;
    assert.ok(resets > 10 && resets < CASES.length - 10);
  });

  it('tells equal histograms from others', () => {
    forEachCase(({ a, grown, equal, compactEqual }) => {
      assert.equal(equalHistograms(read(a), read(grown)), equal);
      assert.equal(equalHistograms(compacted(read(a)), compacted(read(grown))), compactEqual);
      assert.equal(equalHistograms(read(a), read(a)), true);
    });
  });

  it('trims', () => {
    forEachCase(({ a, value, below, above }) => {
      assertSame(trimmed(read(a), goNumber(value), 'below'), read(below));
      assertSame(trimmed(read(a), goNumber(value), 'above'), read(above));
    });
  });

  it('writes them as text', () => {
    forEachCase(({ a, text }) => assert.equal(histogramText(read(a)), text));
  });

  it('interpolates quantiles, and notes observations of NaN', () => {
    forEachCase(({ a, quantiles }) => {
      for (const [i, q] of QUANTILES.entries()) {
        const [value = '', notesCount] = quantiles[i]!.split('|');
        const notes = new NaNNotes();
        assertClose(histogramQuantile(q, read(a), notes), goNumber(value), `φ = ${q}`);
        assert.equal(Number(notes.isResult) + Number(notes.areCounted), Number(notesCount!.split(' ')[1]));
      }
    });
  });

  it('interpolates fractions, and notes observations of NaN', () => {
    forEachCase(({ a, value, fractions }) => {
      for (const [i, [lower, upper]] of fractionRanges(goNumber(value)).entries()) {
        const [fraction = '', noteCount] = fractions[i]!.split('|');
        const notes = new NaNNotes();
        assertClose(histogramFraction(lower, upper, read(a), notes), goNumber(fraction), `${lower} … ${upper}`);
        assert.equal(Number(notes.areCounted), Number(noteCount));
      }
    });
  });
});
