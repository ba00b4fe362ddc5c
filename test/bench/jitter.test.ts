import assert from 'node:assert/strict';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { sourceContender } from './contenders.ts';
import { run } from './jitter.ts';

describe('jitter benchmark', () => {
  it('runs small: scrapes are seen to come beside queries over all samples', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    const scale = { historyTargets: 2, targets: 3, seriesPerTarget: 10 };
    const times = { quietSeconds: 2.5, seconds: 2.5, compactionWithinSeconds: 0 };
    const [figures] = await run({ ...scale, ...times }, [sourceContender()]);
    const { samples, queries, queryMilliseconds, quiet, busy } = figures!;
    assert.equal(samples, (2 * 80 * 480) / 4);
    assert.ok(queries > 0 && queryMilliseconds > 0);
    assert.ok(quiet.scrapes > 0 && quiet.p99Ms >= 0 && quiet.maxMs >= quiet.p99Ms);
    // A busy machine may come late to all of them.
    assert.ok(busy.scrapes + busy.skipped > 0);
  });
});
