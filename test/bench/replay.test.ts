import assert from 'node:assert/strict';
import { needPeer } from '../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { prometheusContender, sourceContender } from './contenders.ts';
import { run } from './replay.ts';

describe('replay benchmark', () => {
  it('runs small: our agent and real Prometheus start on the same directory and answer the same', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    const contenders = [sourceContender(), prometheusContender(needPeer(this, 'prometheus'))];
    const figures = await run({ targets: 5, scrapes: 150, settleSeconds: 0 }, contenders);
    assert.equal(figures.length, 2);
    for (const { samples, readySeconds, peakRssBytes, settledRssBytes, selectNsPerSample } of figures) {
      assert.equal(samples, 60_000);
      assert.ok(readySeconds > 0 && selectNsPerSample > 0);
      assert.ok(peakRssBytes > 0 && settledRssBytes > 0);
    }
  });
});
