import assert from 'node:assert/strict';
import { needPeer } from '../tools/peers.ts';
import { prometheusContender, sourceContender } from './contenders.ts';
import { queryCases, run } from './queries.ts';

describe('query benchmark', () => {
  it('runs small: our agent and real Prometheus give the same answers on the same block', async function () {
    this.timeout(120_000);
    const contenders = [sourceContender(), prometheusContender(needPeer(this, 'prometheus'))];
    const options = { instances: 2, scrapes: 120, minRepeats: 1, maxRepeats: 1 };
    const [ours, theirs] = await run(options, contenders);
    assert.equal(ours!.queries.length, queryCases(0).length);
    const hashes = (figures: typeof ours): object =>
      Object.fromEntries(figures!.queries.map(({ title, hash }) => [title, hash]));
    assert.deepEqual(hashes(ours), hashes(theirs));
    for (const { queries, peakRssBytes, rssBytes } of [ours!, theirs!]) {
      assert.ok(peakRssBytes > 0 && rssBytes > 0);
      assert.ok(queries.every(({ milliseconds, answerBytes }) => milliseconds > 0 && answerBytes > 50));
    }
  });
});
