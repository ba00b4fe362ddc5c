import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { nodeFileSystem } from '../../../lib/env/index.ts';
import { Labels, SampleColumns } from '../../../lib/model/index.ts';
import { encodeSamples } from '../../../lib/chunk/encode.ts';
import { HeadChunkWriter } from '../../../lib/tsdb/head-chunks/writer.ts';
import { writeCheckpoint } from '../../../lib/tsdb/wal/checkpoint.ts';
import type { WalCommit } from '../../../lib/tsdb/wal/commit.ts';
import { needPeer } from '../../tools/peers.ts';
import { PrometheusDriver, type PrometheusOptions } from '../../tools/prometheus-driver.ts';
import { call, SUITE_TIMEOUT_MS } from '../../tools/prometheus-api.ts';
import type { WrittenSeries } from '../../tools/remote-write.ts';
import { temporaryDirectory, TestClock } from '../../unit/tsdb/environment.ts';
import { histogramsOf, kernels, logWriter, samplesOf, seriesOf, silent } from '../../unit/tsdb/wal/log.ts';
import { dumpOf, everyKind, MINUTE_MS, parts, plainHistogram, START_MS } from './every-kind.ts';

describe('tsdb: a directory with our log and head chunks', function () {
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

  for (const { binary, version } of [
    { binary: 'prometheus', version: 3 },
    { binary: 'prometheus2', version: 2 },
  ] as const) {
    it(`is read by ${binary}: log with a checkpoint, and head chunks, of every kind`, async function () {
      const program = needPeer(this, binary);
      const dir = directory();
      const steps = 60;
      const series = everyKind(steps, 5, version);
      const writer = logWriter(dir, { segmentBytes: 1 << 20 });
      const refs = new Map(series.map(({ labels }, i) => [i + 1, labels]));
      writer.log({
        series: seriesOf([...refs]),
        metadata: series.flatMap(({ metadata }, i) => (metadata === undefined ? [] : [{ ref: i + 1, metadata }])),
      });
      // One step each, because the kind of a series' histograms may change at any.
      for (const [i, part] of parts(series, steps, 1).entries()) {
        writer.log(commitOf(part));
        if (i % 15 === 14) writer.nextSegment();
      }
      writer.log({
        tombstones: [{ ref: 2, interval: { minTimeMs: START_MS, maxTimeMs: START_MS + 10 * MINUTE_MS } }],
      });
      // A series all of whose samples are in head chunks: the log has only its labels.
      const filed = Labels.of({ __name__: 'filed' });
      const samples: [number, number][] = Array.from({ length: 300 }, (_, i) => [START_MS + i * 1000, Math.sqrt(i)]);
      writer.log({ series: seriesOf([[100, filed]]) });
      await writer.close();
      const columns = new SampleColumns();
      for (const [timeMs, value] of samples) columns.push(timeMs, value);
      mkdirSync(join(dir, 'chunks_head'));
      const chunkWriter = new HeadChunkWriter({
        dir: join(dir, 'chunks_head'),
        nextFile: 1,
        fileSystem: nodeFileSystem,
        clock: new TestClock(),
        logger: silent,
        kernels,
        fsyncIntervalMs: 5000,
        maxFileBytes: 1500,
      });
      for (const chunk of encodeSamples(kernels, columns, 0, samples.length)) {
        chunkWriter.add(100, chunk, false);
        chunkWriter.flush();
      }
      await chunkWriter.close();
      assert.ok(readdirSync(join(dir, 'chunks_head')).length > 1);
      await writeCheckpoint({
        dir: join(dir, 'wal'),
        corruptDir: join(dir, 'corrupt'),
        fileSystem: nodeFileSystem,
        kernels,
        logger: silent,
        monotonicMs: () => performance.now(),
        lastSegment: 1,
        keep: () => true,
        mintMs: START_MS,
        compress: true,
      });
      assert.ok(existsSync(join(dir, 'wal', 'checkpoint.00000001')) && !existsSync(join(dir, 'wal', '00000001')));

      const prometheus = await start({ program, version, dataDir: dir });
      const expected = { ...dumpOf(series), ...dumpOf([{ labels: filed, samples }]) };
      const deleted = series[1]!.labels.toString();
      expected[deleted] = expected[deleted]!.filter(([timeMs]) => timeMs > START_MS + 10 * MINUTE_MS);
      if (version === 2) {
        // It does not give histograms to remote read, but counts them.
        for (const { labels, histograms } of series) if (histograms !== undefined) expected[labels.toString()] = [];
        const at = (START_MS + steps * MINUTE_MS) / 1000;
        const counted = await instant(prometheus.url, 'histogram_count(m2)', at);
        assert.deepEqual(counted, [String(plainHistogram(steps - 1).count), String(plainHistogram(steps - 1).count)]);
      }
      assert.deepEqual(await prometheus.read(), expected);
      const exemplars = (await prometheus.exemplars(START_MS, START_MS + steps * MINUTE_MS)) as {
        seriesLabels: Record<string, string>;
        exemplars: { labels: Record<string, string>; value: string; timestamp: number }[];
      }[];
      assert.equal(exemplars.length, 2);
      for (const { seriesLabels, exemplars: list } of exemplars) {
        const sent = series.find(({ labels }) => labels.toString() === Labels.of(seriesLabels).toString())!;
        assert.deepEqual(
          list.map(({ labels, value, timestamp }) => [labels, Number(value), Math.round(timestamp * 1000)]),
          sent.exemplars!.map(({ labels, value, timestampMs }) => [{ ...labels.toJSON() }, value, timestampMs]),
        );
      }
      await prometheus.stop();
      assert.equal(existsSync(join(dir, 'wal', 'checkpoint.00000001')), true, 'it repaired nothing');
    });
  }
});

async function instant(url: string, query: string, time: number): Promise<string[]> {
  const { data } = await call<{ result: { value: [number, string] }[] }>(url, 'query', { query, time: String(time) });
  return data.result.map(({ value }) => value[1]);
}

/** What the head would log of one request; refs count from 1. */
function commitOf(series: readonly WrittenSeries[]): WalCommit {
  return {
    samples: samplesOf(
      series.flatMap(({ samples = [] }, i) => samples.map(([timeMs, value]) => [i + 1, timeMs, value] as const)),
    ),
    histograms: histogramsOf(
      series.flatMap(({ histograms = [] }, i) => histograms.map(([timeMs, value]) => [i + 1, timeMs, value] as const)),
    ),
    exemplars: series.flatMap(({ exemplars = [] }, i) => exemplars.map((exemplar) => ({ ref: i + 1, exemplar }))),
  };
}
