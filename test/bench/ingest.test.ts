import assert from 'node:assert/strict';
import { needBenchPeer, needPeer } from '../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { type Contender, prometheusContender, sourceContender, victoriaMetricsContender } from './contenders.ts';
import { type IngestFigures, type IngestScale, run } from './ingest.ts';

/** An interval so long that no scrape of such small pages is in vain because the machine stood still for a moment. */
const SCALE: IngestScale = {
  targets: 2,
  seriesPerTarget: 50,
  intervalSeconds: 5,
  warmUpIntervals: 1,
  idleSeconds: 0,
  seconds: 5,
};

/** The run itself throws unless every sample served has arrived. */
async function runSmall(contender: Contender): Promise<IngestFigures> {
  const [figures] = await run(SCALE, [contender]);
  const perScrape = SCALE.seriesPerTarget + contender.reportSamples;
  assert.ok(figures!.series >= SCALE.targets * SCALE.seriesPerTarget);
  assert.ok(figures!.samples >= SCALE.targets * perScrape, `${figures!.samples} samples in the window`);
  assert.ok(figures!.pages * perScrape > figures!.samples);
  assert.ok(figures!.idleRssBytes > 0 && figures!.rssBytes > 0 && figures!.peakRssBytes >= figures!.rssBytes);
  assert.ok(figures!.diskBytesPerSample > 0);
  assert.ok(figures!.readySeconds > 0 && figures!.restartPeakRssBytes > 0);
  return figures!;
}

describe('ingest benchmark', () => {
  it('runs small on the agent, which takes every sample the exporter served and keeps it over SIGKILL', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    assert.equal((await runSmall(sourceContender())).lostSamples, 0);
  });

  it('runs small on real Prometheus, which does the same', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    assert.equal((await runSmall(prometheusContender(needPeer(this, 'prometheus')))).lostSamples, 0);
  });

  it('runs small on real VictoriaMetrics, which takes every sample, and loses the last ones to SIGKILL', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    const binary = needBenchPeer(this, 'victoria-metrics');
    assert.ok((await runSmall(victoriaMetricsContender(binary))).lostSamples >= 0);
  });
});
