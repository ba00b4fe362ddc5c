import assert from 'node:assert/strict';
import { needPeer } from '../tools/peers.ts';
import { prometheusContender, sourceContender } from './contenders.ts';
import { run } from './server-compaction.ts';

describe('compaction benchmark of servers', () => {
  it('runs small: our agent and real Prometheus write the same samples as a block, in no more bytes', async function () {
    this.timeout(120_000);
    const contenders = [sourceContender(), prometheusContender(needPeer(this, 'prometheus'))];
    const [ours, theirs] = await run({ targets: 5 }, contenders);
    assert.equal(ours!.samples, 5 * 80 * 480);
    assert.equal(theirs!.samples, ours!.samples);
    // Prometheus lists all symbols of its head in a block, those of other series too.
    const ratio = ours!.blockBytesPerSample / theirs!.blockBytesPerSample;
    assert.ok(ratio > 0.8 && ratio < 1.001, `${ratio}`);
    for (const { peakRssBytes, rssBytes, selectNsPerSample } of [ours!, theirs!]) {
      assert.ok(peakRssBytes > 0 && rssBytes > 0 && selectNsPerSample > 0);
    }
  });
});
