import assert from 'node:assert/strict';
import { SampleColumns } from '../../../lib/model/index.ts';
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
