import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../../lib/env/index.ts';
import { Labels } from '../../lib/model/index.ts';
import { readBlock } from '../tools/block-content.ts';
import { compareBlocks } from '../tools/compare-blocks.ts';
import { DEMO_KINDS, demoCommits, dumpOfCommits } from '../tools/demo-commits.ts';
import { needPeer } from '../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { blockDirectories, PrometheusDriver } from '../tools/prometheus-driver.ts';

const START_MS = 1_700_000_000_000;

describe('the comparison of blocks', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  const drivers: PrometheusDriver[] = [];
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-compare-'));
  });
  afterEach(async () => {
    for (const driver of drivers.splice(0)) await driver.stop('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });

  for (const version of [3, 2] as const) {
    it(`finds the blocks of two runs of Prometheus ${version} identical, and every change in them`, async function () {
      const program = needPeer(this, version === 3 ? 'prometheus' : 'prometheus2');
      const kinds = DEMO_KINDS.filter((kind) => version === 3 || (kind !== 'custom' && kind !== 'float'));
      const commits = demoCommits({ random: seededRandom(5), startMs: START_MS, stepMs: 15_000, steps: 100, kinds });
      const blocks: string[][] = [];
      for (const name of ['a', 'b', 'c']) {
        const dataDir = join(dir, name);
        const driver = await PrometheusDriver.start({
          program,
          version,
          dataDir,
          blockDuration: '5m',
          maxBlockDuration: '5m',
        });
        drivers.push(driver);
        for (const [i, commit] of commits.entries()) {
          // The third is given one sample more.
          const more = { labels: Labels.of({ __name__: 'more' }), samples: [[START_MS + i * 15_000, 1]] as const };
          await driver.write(name === 'c' && i === 3 ? [...commit, more] : commit);
          // A block holds all symbols that the head has when it is written.
          await driver.compacted(300_000);
        }
        assert.equal((await driver.blocks(5)).length, 5);
        await driver.stop();
        blocks.push(blockDirectories(dataDir).map((block) => join(dataDir, block)));
      }
      const [a, b, c] = blocks as [string[], string[], string[]];
      assert.equal(a.length, b.length);
      a.forEach((block, i) => assert.deepEqual(compareBlocks(block, b[i]!), []));
      assert.match(compareBlocks(a[0]!, c[0]!).join('\n'), /^symbol .* "more"/m);
      assert.match(compareBlocks(a[0]!, c[0]!).join('\n'), /^postings /m);

      // What it reads is what was written: as many samples as the first block's range holds.
      const { meta, series } = readBlock(a[0]!);
      const within = Object.values(dumpOfCommits(commits))
        .flat()
        .filter(([timeMs]) => timeMs < meta.maxTime).length;
      const read = series.flatMap(({ chunks }) => chunks).reduce((sum, { bytes }) => sum + bytes.readUInt16BE(0), 0);
      assert.equal(read, within);
      assert.equal(meta.stats!['numSamples'], within);

      const hurt = join(dir, 'hurt');
      cpSync(a[0]!, hurt, { recursive: true });
      const segment = readFileSync(join(hurt, 'chunks', '000001'));
      segment[40]! ^= 1;
      writeFileSync(join(hurt, 'chunks', '000001'), segment);
      assert.throws(() => compareBlocks(a[0]!, hurt), /checksum/);
    });
  }
});
