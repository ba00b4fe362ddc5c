import assert from 'node:assert/strict';
import { sourceContender } from './contenders.ts';
import { run } from './jitter.ts';

describe('jitter benchmark', () => {
  it('runs small: scrapes are seen to come beside queries over all samples', async function () {
    this.timeout(120_000);
    const scale = { historyTargets: 2, targets: 3, seriesPerTarget: 10 };
    const times = { quietSeconds: 2.5, seconds: 2.5, compactionWithinSeconds: 0 };
    const [figures] = await run({ ...scale, ...times }, [sourceContender()]);
    const { samples, queries, queryMilliseconds, quiet, busy } = figures!;
    assert.equal(samples, (2 * 80 * 480) / 4);
    assert.ok(queries > 0 && queryMilliseconds > 0);
    for (const { scrapes, skipped, p99Ms, maxMs } of [quiet, busy]) {
      assert.ok(scrapes > 0 && skipped >= 0 && maxMs >= p99Ms && p99Ms >= 0);
    }
  });
});
