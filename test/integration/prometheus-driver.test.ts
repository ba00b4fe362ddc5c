import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../../lib/env/index.ts';
import { Labels } from '../../lib/model/index.ts';
import { DEMO_KINDS, demoCommits, dumpOfCommits } from '../tools/demo-commits.ts';
import { needPeer } from '../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { asPromtoolDump, PrometheusDriver, promtoolDump } from '../tools/prometheus-driver.ts';

/** 2.42 does not give histograms to remote read. */
const HISTOGRAM_KINDS = new Set(['integer', 'float', 'custom']);
const START_MS = 1_700_000_000_000;

describe('the driver of real Prometheus', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  let driver: PrometheusDriver | undefined;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-driver-'));
  });
  afterEach(async () => {
    await driver?.stop('SIGKILL');
    driver = undefined;
    rmSync(dir, { recursive: true, force: true });
  });

  const peers = [
    { program: 'prometheus', promtool: 'promtool', version: 3, write: 1 },
    { program: 'prometheus', promtool: 'promtool', version: 3, write: 2 },
    { program: 'prometheus2', promtool: 'promtool2', version: 2, write: 1 },
  ] as const;
  for (const { program, promtool, version, write } of peers) {
    it(`reads back from ${program} all that remote write ${write}.0 gave it, across compaction and kill`, async function () {
      const options = {
        program: needPeer(this, program),
        version,
        dataDir: join(dir, 'data'),
        blockDuration: '10m',
        maxBlockDuration: '30m',
      };
      const kinds = DEMO_KINDS.filter((kind) => version === 3 || !HISTOGRAM_KINDS.has(kind));
      const commits = demoCommits({ random: seededRandom(3), startMs: START_MS, stepMs: 15_000, steps: 200, kinds });
      driver = await PrometheusDriver.start(options);
      for (const commit of commits) await driver.write(commit, write);
      await driver.blocks(2);
      assert.deepEqual(await driver.read(), dumpOfCommits(commits));
      await driver.deleteSeries('demo_counter', START_MS, START_MS + 600_000);
      const expected = dumpOfCommits(commits);
      for (const [labels, samples] of Object.entries(expected)) {
        if (labels.includes('demo_counter')) {
          expected[labels] = samples.filter(([timeMs]) => timeMs > START_MS + 600_000);
        }
      }
      assert.deepEqual(await driver.read(), expected);
      await driver.stop('SIGKILL');
      driver = await PrometheusDriver.start(options);
      assert.deepEqual(await driver.read(), expected);
      const snapshot = await driver.snapshot();
      await driver.stop();
      // promtool wants a log, which a snapshot has not.
      mkdirSync(join(snapshot, 'wal'));
      assert.deepEqual(await promtoolDump(needPeer(this, promtool), snapshot), asPromtoolDump(expected));
    });
  }

  it('tells a refusal', async function () {
    driver = await PrometheusDriver.start({
      program: needPeer(this, 'prometheus'),
      version: 3,
      dataDir: join(dir, 'data'),
    });
    const labels = Labels.of({ __name__: 'm' });
    await driver.write([{ labels, samples: [[START_MS, 1]] }]);
    await assert.rejects(driver.write([{ labels, samples: [[START_MS, 2]] }]), /400/);
  });
});
