import assert from 'node:assert/strict';
import { type FloatHistogram, SampleColumns } from '../../../lib/model/index.ts';
import { keepRange, mergeRuns } from '../../../lib/remote/merge-samples.ts';

/** Columns of the given timestamps; every value tells which run it came from. */
function columnsOf(...runs: (readonly number[])[]): SampleColumns {
  const columns = new SampleColumns();
  runs.forEach((run, i) => run.forEach((timestampMs) => columns.push(timestampMs, i)));
  return columns;
}

function listOf({ timestamps, values, length }: SampleColumns): string {
  return Array.from({ length }, (_, i) => `${timestamps[i]}:${values[i]}`).join(' ');
}

describe('merging sorted runs of samples', () => {
  const cases: [before: number[], first: number[], second: number[], merged: string][] = [
    [[], [1, 2], [3, 4], '1:1 2:1 3:2 4:2'],
    [[], [3, 4], [1, 2], '1:2 2:2 3:1 4:1'],
    [[], [1, 3, 5], [2, 3, 4, 6], '1:1 2:2 3:1 4:2 5:1 6:2'],
    [[], [1, 2], [1, 2], '1:1 2:1'],
    [[], [], [1], '1:2'],
    [[], [1], [], '1:1'],
    [[7, 8], [5, 6], [4, 6], '7:0 8:0 4:2 5:1 6:1'],
  ];
  for (const [before, first, second, merged] of cases) {
    it(`[${first.join()}] and [${second.join()}] behind [${before.join()}]`, () => {
      const columns = columnsOf(before, first, second);
      mergeRuns(columns, before.length, before.length + first.length);
      assert.equal(listOf(columns), merged);
    });
  }
});

describe('merging runs that hold histograms', () => {
  it('takes them along, and forgets resets where the run changes', () => {
    const columns = new SampleColumns();
    columns.push(0, 7);
    columns.pushHistogram(2, histogram(1));
    columns.pushHistogram(4, histogram(2));
    columns.push(6, 3);
    columns.pushHistogram(1, histogram(4));
    columns.push(2, 5);
    columns.pushHistogram(7, histogram(6));
    columns.pushHistogram(8, histogram(7));
    columns.pushHistogram(9, histogram(8, 'gauge'));
    mergeRuns(columns, 1, 4);
    assert.deepEqual(contentOf(columns), [
      '0 7',
      '1 histogram 4 unknown',
      '2 histogram 1 unknown',
      '4 histogram 2 reset',
      '6 3',
      '7 histogram 6 unknown',
      '8 histogram 7 reset',
      '9 histogram 8 gauge',
    ]);
  });

  it('forgets the reset between runs that follow one another', () => {
    const columns = new SampleColumns();
    for (const timestampMs of [1, 2, 3, 4]) columns.pushHistogram(timestampMs, histogram(timestampMs));
    mergeRuns(columns, 0, 2);
    assert.deepEqual(contentOf(columns), [
      '1 histogram 1 reset',
      '2 histogram 2 reset',
      '3 histogram 3 unknown',
      '4 histogram 4 reset',
    ]);
  });

  it('leaves none behind that was cut off', () => {
    const columns = new SampleColumns();
    for (const timestampMs of [1, 2, 3, 4]) columns.pushHistogram(timestampMs, histogram(timestampMs));
    assert.equal(keepRange(columns, 0, 2, 3), true);
    columns.push(9, 9);
    assert.deepEqual(contentOf(columns), ['2 histogram 2 reset', '3 histogram 3 reset', '9 9']);
  });
});

function histogram(count: number, counterResetHint: FloatHistogram['counterResetHint'] = 'reset'): FloatHistogram {
  return {
    counterResetHint,
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count,
    sum: 0,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: new Float64Array(0),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
  };
}

function contentOf({ timestamps, values, histograms, length }: SampleColumns): string[] {
  return Array.from({ length }, (_, i) => {
    const one = histograms?.[i];
    return one === undefined
      ? `${timestamps[i]} ${values[i]}`
      : `${timestamps[i]} histogram ${one.count} ${one.counterResetHint}`;
  });
}

describe('cutting samples to a range', () => {
  it('keeps both bounds and what lies before the start index', () => {
    const columns = columnsOf([9], [1, 2, 3, 4, 5]);
    assert.equal(keepRange(columns, 1, 2, 4), true);
    assert.equal(listOf(columns), '9:0 2:1 3:1 4:1');
  });

  it('says when timestamps do not rise', () => {
    assert.equal(keepRange(columnsOf([1, 2, 2]), 0, 0, 9), false);
    assert.equal(keepRange(columnsOf([2, 1]), 0, 0, 9), false);
  });
});
