import assert from 'node:assert/strict';
import { needBenchPeer, needPeer } from '../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { prometheusContender, sourceContender, victoriaMetricsContender } from './contenders.ts';
import { queryCases } from './query-cases.ts';
import { agreed, type QueryFigures, run, type ServerFigures } from './queries.ts';

const SMALL = { instances: 2, scrapes: 120, minRepeats: 1, maxRepeats: 1 };

function byTitle(figures: ServerFigures, read: (one: QueryFigures) => unknown): object {
  return Object.fromEntries(figures.queries.map((one) => [one.case.title, read(one)]));
}

describe('query benchmark', () => {
  it('runs small: our agent and real Prometheus give the same answers on the same block', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    const contenders = [sourceContender(), prometheusContender(needPeer(this, 'prometheus'))];
    const [ours, theirs] = await run(SMALL, contenders);
    assert.equal(ours!.queries.length, queryCases(0).length);
    assert.deepEqual(
      byTitle(ours!, ({ hash }) => hash),
      byTitle(theirs!, ({ hash }) => hash),
    );
    for (const { queries, peakRssBytes, rssBytes } of [ours!, theirs!]) {
      assert.ok(peakRssBytes > 0 && rssBytes > 0);
      assert.ok(queries.every(({ milliseconds, entries }) => milliseconds > 0 && entries > 0));
    }
  });

  it('runs small on real VictoriaMetrics: the same answers where it means the same, as many series elsewhere', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    const contenders = [sourceContender(), victoriaMetricsContender(needBenchPeer(this, 'victoria-metrics'))];
    const [ours, theirs] = await run(SMALL, contenders);
    assert.deepEqual(byTitle(theirs!, agreed), byTitle(ours!, agreed));
  });
});
