import assert from 'node:assert/strict';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { sourceContender } from './contenders.ts';
import { PANELS, run } from './dashboard.ts';
import { queryCases } from './query-cases.ts';

describe('dashboard benchmark', () => {
  it('runs small: clients are answered while targets are scraped', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    const titles = queryCases(0).map(({ title }) => title);
    assert.deepEqual(
      PANELS.filter((panel) => !titles.includes(panel)),
      [],
    );
    const scale = { instances: 2, scrapes: 120, clients: 2, targets: 2, seriesPerTarget: 10 };
    const [figures] = await run({ ...scale, seconds: 2.5, quietSeconds: 2.5 }, [sourceContender()]);
    const { answers, failed, answersPerSecond, p50Ms, p99Ms, quiet, busy, peakRssBytes } = figures!;
    assert.equal(failed, 0);
    assert.ok(answers > 0 && answersPerSecond > 0 && peakRssBytes > 0);
    assert.ok(p50Ms > 0 && p99Ms >= p50Ms);
    assert.ok(quiet.scrapes > 0 && quiet.p50Ms >= 0 && quiet.maxMs >= quiet.p50Ms);
    // A busy machine may come late to all of them.
    assert.ok(busy.scrapes + busy.skipped > 0);
  });
});
