import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Labels } from '../../../lib/model/index.ts';
import { needPeer } from '../../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../../tools/prometheus-api.ts';
import { PrometheusDriver, type PrometheusOptions } from '../../tools/prometheus-driver.ts';
import { temporaryDirectory } from '../../unit/tsdb/environment.ts';
import { logWriter, readLog, samplesOf, seriesOf } from '../../unit/tsdb/wal/log.ts';
import { dumpOf, parts, START_MS } from './every-kind.ts';
import { headChunksOf, loggedIn } from './log-content.ts';

describe('tsdb: repair of log and head chunks', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  const cleanUps: (() => unknown)[] = [];
  const directory = (): string => temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  async function start(options: PrometheusOptions): Promise<PrometheusDriver> {
    const driver = await PrometheusDriver.start(options);
    cleanUps.push(() => driver.stop('SIGKILL'));
    return driver;
  }

  const damages: { name: string; hurt: (segment: (index: number) => string) => void }[] = [
    { name: 'a segment that is missing', hurt: (segment) => rmSync(segment(2)) },
    {
      name: 'a destroyed page and a flipped bit',
      hurt: (segment) => {
        change(segment(1), (bytes) => bytes.fill(0xee, 10_000, 25_000));
        change(segment(3), (bytes) => (bytes[bytes.length >>> 1]! ^= 8));
      },
    },
    {
      name: 'a torn end, and one of zeros',
      hurt: (segment) => {
        change(segment(2), (bytes) => bytes.fill(0, bytes.length - 5000));
        truncateSync(segment(4), readFileSync(segment(4)).length - 7);
      },
    },
    {
      name: 'a directory for a segment',
      hurt: (segment) => {
        rmSync(segment(3));
        mkdirSync(segment(3));
      },
    },
  ];
  for (const { name, hurt } of damages) {
    it(`leaves a log with ${name} so that Prometheus answers what we read of it`, async function () {
      const program = needPeer(this, 'prometheus');
      const dir = directory();
      const writer = logWriter(dir, { compress: false });
      const names = Array.from({ length: 50 }, (_, i) => Labels.of({ __name__: 'm', i: String(i) }));
      writer.log({ series: seriesOf(names.map((labels, i) => [i + 1, labels])) });
      for (let step = 0; step < 500; step++) {
        const timeMs = START_MS + step * 1000;
        writer.log({ samples: samplesOf(names.map((_, i) => [i + 1, timeMs, step * (i + 1) + 0.5])) });
        if (step % 100 === 99) writer.nextSegment();
      }
      await writer.close();
      hurt((index) => join(dir, 'wal', `0000000${index}`));
      const { report } = await readLog(dir, { damaged: 'repair' });
      assert.ok(report.damage.length > 0);
      const { dump } = await loggedIn(dir);
      const lost = 50 * 500 - Object.values(dump).reduce((sum, { length }) => sum + length, 0);
      assert.ok(lost > 0 && lost <= 50 * 100, `${lost} samples lost`);
      const prometheus = await start({ program, version: 3, dataDir: dir });
      assert.deepEqual(await prometheus.read(), dump);
    });
  }

  it('leaves damaged head chunks so that Prometheus reads them, and takes the rest from the log', async function () {
    const program = needPeer(this, 'prometheus');
    const dir = directory();
    const prometheus = await start({ program, version: 3, dataDir: dir });
    const series = [0, 1, 2].map((i) => {
      const samples = Array.from({ length: 2000 }, (_, step): [number, number] => [
        START_MS + step * 1000,
        step / (i + 1),
      ]);
      return { labels: Labels.of({ __name__: 'm', i: String(i) }), samples };
    });
    for (const part of parts(series, 2000, 200)) await prometheus.write(part);
    await prometheus.stop();
    const path = join(dir, 'chunks_head', '000001');
    const { chunks } = await headChunksOf(dir);
    const middle = chunks[chunks.length >>> 1]!;
    change(path, (bytes) => (bytes[middle.offsetBytes + 30]! ^= 1));
    const { chunks: left, report } = await headChunksOf(dir);
    assert.equal(report.damage.length, 1);
    assert.equal(left.length, chunks.length >>> 1);
    const again = await start({ program, version: 3, dataDir: dir });
    assert.deepEqual(await again.read(), dumpOf(series));
    assert.equal(await again.metric('prometheus_tsdb_mmap_chunk_corruptions_total'), 0);
  });
});

function change(path: string, edit: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  edit(bytes);
  writeFileSync(path, bytes);
}
