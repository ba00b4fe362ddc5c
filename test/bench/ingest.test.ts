import assert from 'node:assert/strict';
import { needPeer } from '../tools/peers.ts';
import {
  type Contender,
  type IngestScale,
  prometheusContender,
  REPORT_SAMPLES,
  run,
  sourceContender,
} from './ingest.ts';

const SCALE: IngestScale = { targets: 2, seriesPerTarget: 50, intervalSeconds: 1, idleSeconds: 0, seconds: 3 };

/** The run itself throws unless every sample served has arrived. */
async function runSmall(contender: Contender): Promise<void> {
  const [figures] = await run(SCALE, [contender]);
  const perScrape = SCALE.seriesPerTarget + REPORT_SAMPLES;
  assert.equal(figures!.series, SCALE.targets * perScrape);
  assert.ok(figures!.samples >= SCALE.targets * perScrape, `${figures!.samples} samples in the window`);
  assert.equal(figures!.samples % perScrape, 0);
  assert.ok(figures!.pages * perScrape > figures!.samples);
  assert.ok(figures!.idleRssBytes > 0 && figures!.rssBytes > 0 && figures!.peakRssBytes >= figures!.rssBytes);
  assert.ok(figures!.walBytesPerSample > 0);
}

describe('ingest benchmark', () => {
  it('runs small on the agent, which takes every sample the exporter served', async function () {
    this.timeout(60_000);
    await runSmall(sourceContender());
  });

  it('runs small on real Prometheus, which takes every sample the exporter served', async function () {
    this.timeout(60_000);
    await runSmall(prometheusContender(needPeer(this, 'prometheus')));
  });
});
