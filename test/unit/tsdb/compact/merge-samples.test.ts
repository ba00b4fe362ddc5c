import { deepEqual } from 'node:assert/strict';
import { type FloatHistogram, SampleColumns } from '../../../../lib/model/index.ts';
import { mergeSamples } from '../../../../lib/tsdb/compact/merge-samples.ts';

const NONE = new Float64Array(0);

function histogram(counterResetHint: FloatHistogram['counterResetHint']): FloatHistogram {
  return {
    counterResetHint,
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 1,
    count: 1,
    sum: 1,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: NONE,
    negativeBuckets: NONE,
    customValues: NONE,
  };
}

/** `time`, or `time:hint` for a histogram. */
function columns(text: string): SampleColumns {
  const out = new SampleColumns();
  for (const sample of text.split(' ')) {
    const [time, hint] = sample.split(':');
    if (hint === undefined) out.push(Number(time), Number(time));
    else out.pushHistogram(Number(time), histogram(hint as FloatHistogram['counterResetHint']));
  }
  return out;
}

function merged(...lists: string[]): string {
  const into = columns('99:gauge 100');
  mergeSamples(lists.map(columns), into);
  return Array.from({ length: into.length }, (_, i) => {
    const hint = into.histograms?.[i]?.counterResetHint;
    return hint === undefined ? `${into.timestamps[i]}` : `${into.timestamps[i]}:${hint}`;
  }).join(' ');
}

describe('merging samples', () => {
  it('orders them by time, one of each', () => {
    deepEqual(merged('1 3 5', '2 3 4', '0 5 6'), '0 1 2 3 4 5 6');
    deepEqual(merged('1 2', '3 4'), '1 2 3 4');
    deepEqual(merged('5', '5', '5'), '5');
  });

  it('takes whole runs', () => {
    const from = (first: number, count: number): string => Array.from({ length: count }, (_, i) => first + i).join(' ');
    deepEqual(merged(from(0, 500), from(400, 300), '700:gauge 701:gauge'), `${from(0, 700)} 700:gauge 701:gauge`);
  });

  it('mixes floats and histograms', () => {
    deepEqual(merged('1 3', '2:gauge 4:gauge'), '1 2:gauge 3 4:gauge');
  });

  it('keeps what a histogram says of resets behind its neighbour only', () => {
    deepEqual(merged('1:reset 2:not_reset 5:not_reset 6:not_reset', '3:reset 4:not_reset'), '1:unknown 2:not_reset 3:unknown 4:not_reset 5:unknown 6:not_reset'); // prettier-ignore
  });

  it('does not trust a neighbour when another list was looked at in between', () => {
    deepEqual(merged('1:reset 2:not_reset 4:not_reset', '2:reset 3:not_reset'), '1:unknown 2:unknown 3:unknown 4:unknown'); // prettier-ignore
  });

  it('keeps gauges', () => {
    deepEqual(merged('1:gauge 3:gauge', '2:gauge'), '1:gauge 2:gauge 3:gauge');
  });
});
