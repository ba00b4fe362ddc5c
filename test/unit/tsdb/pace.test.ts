import { equal, rejects, throws } from 'node:assert/strict';
import { flatOut, slicedPace } from '../../../lib/tsdb/pace.ts';
import { TestClock } from './environment.ts';

describe('the pace of long work', () => {
  let nowMs = 0;
  const clock = Object.assign(new TestClock(), { monotonicMs: () => nowMs });
  beforeEach(() => (nowMs = 100));

  it('lets other work run every five milliseconds, and counts anew from then', async () => {
    const pace = slicedPace(clock);
    equal(pace(), undefined);
    nowMs += 4.9;
    equal(pace(), undefined);
    nowMs += 0.1;
    let others = 0;
    setImmediate(() => {
      others++;
      nowMs += 1_000;
    });
    await pace();
    equal(others, 1);
    equal(pace(), undefined);
  });

  it('ends when it is told to, before a slice or in between', async () => {
    const stop = new AbortController();
    const pace = slicedPace(clock, stop.signal);
    nowMs += 5;
    const pause = pace();
    stop.abort(new Error('stopped'));
    await rejects(async () => pause, /stopped/);
    throws(() => pace(), /stopped/);
  });

  it('does not stop where there is no other work', () => {
    nowMs += 1_000;
    equal(flatOut(), undefined);
  });
});
