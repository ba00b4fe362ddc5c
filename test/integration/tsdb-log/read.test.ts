import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeFileSystem, seededRandom } from '../../../lib/env/index.ts';
import { Labels, SampleColumns } from '../../../lib/model/index.ts';
import { ChunkDecoder } from '../../../lib/chunk/decoder.ts';
import { HeadChunkFiles } from '../../../lib/tsdb/head-chunks/files.ts';
import { CommitFramer, type WalCommit } from '../../../lib/tsdb/wal/commit.ts';
import type { HistogramSamples } from '../../../lib/tsdb/wal/histogram-record.ts';
import { RecordDecoder } from '../../../lib/tsdb/wal/record-decoder.ts';
import { needPeer } from '../../tools/peers.ts';
import { eventually, PATIENCE_MS, SUITE_TIMEOUT_MS } from '../../tools/prometheus-api.ts';
import { PrometheusDriver, type PrometheusOptions } from '../../tools/prometheus-driver.ts';
import { columnsText } from '../../tools/samples.ts';
import { temporaryDirectory } from '../../unit/tsdb/environment.ts';
import { histogramsOf, kernels, readLog, seriesOf } from '../../unit/tsdb/wal/log.ts';
import { dumpOf, everyKind, MINUTE_MS, parts, START_MS } from './every-kind.ts';
import { eachRecord, headChunksOf, type Logged, loggedIn } from './log-content.ts';

/** What remote write 2.0 makes of no metadata. */
const NO_METADATA = { type: 'unknown', unit: '', help: '' };

describe("tsdb: the reader of Prometheus's log and head chunks", function () {
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

  for (const walCompression of ['none', 'snappy', 'zstd'] as const) {
    it(`reads all kinds of records that 3.15 writes, exactly (${walCompression})`, async function () {
      const dir = directory();
      const prometheus = await start({
        program: needPeer(this, 'prometheus'),
        version: 3,
        dataDir: dir,
        walCompression,
        features: ['metadata-wal-records'],
      });
      const steps = 50;
      const series = everyKind(steps, 16, 3);
      for (const part of parts(series, steps, 10)) await prometheus.write(part, 2);
      await prometheus.deleteSeries('m0{j="1"}', START_MS + MINUTE_MS, START_MS + 10 * MINUTE_MS);
      await prometheus.stop('SIGKILL');
      const { rows: _, report } = await readLog(dir);
      assert.deepEqual([report.damage, report.skippedRecords], [[], {}]);
      const logged = await loggedIn(dir);
      assert.deepEqual(logged.dump, dumpOf(series));
      for (const { labels, exemplars = [], metadata = NO_METADATA } of series) {
        assert.deepEqual(logged.exemplars[labels.toString()] ?? [], exemplars);
        assert.deepEqual(logged.metadata[labels.toString()], metadata);
      }
      assert.deepEqual(logged.tombstones, [
        [series[1]!.labels.toString(), START_MS + MINUTE_MS, START_MS + 10 * MINUTE_MS],
      ]);
      if (walCompression === 'none') {
        assert.deepEqual(
          [...logged.types].sort((a, b) => a - b),
          [1, 2, 3, 4, 6, 7, 8, 9, 10],
        );
        // What is read is written back to the byte.
        await eachRecord(join(dir, 'wal'), (type, address, length, flags) => {
          const theirs = hex(address, length);
          assert.ok(writtenBack(address, length, flags) === theirs, `a record of type ${type} is not the same`);
        });
      }
    });
  }

  it('reads what 2.42 writes, exactly', async function () {
    const dir = directory();
    const prometheus = await start({ program: needPeer(this, 'prometheus2'), version: 2, dataDir: dir });
    const series = everyKind(30, 2, 2);
    for (const part of parts(series, 30, 10)) await prometheus.write(part);
    await prometheus.stop('SIGKILL');
    const logged = await loggedIn(dir);
    assert.deepEqual(logged.dump, dumpOf(series));
    for (const { labels, exemplars = [] } of series) {
      assert.deepEqual(logged.exemplars[labels.toString()] ?? [], exemplars);
    }
  });

  it('reads records with start times, without them', async function () {
    const dir = directory();
    const prometheus = await start({
      program: needPeer(this, 'prometheus'),
      version: 3,
      dataDir: dir,
      walCompression: 'none',
      features: ['st-storage'],
    });
    const series = everyKind(30, 3, 3);
    for (const part of parts(series, 30, 10)) await prometheus.write(part, 2);
    await prometheus.stop('SIGKILL');
    const logged = await loggedIn(dir);
    assert.deepEqual(logged.dump, dumpOf(series));
    assert.ok(
      [11, 12, 13].every((type) => logged.types.has(type)),
      [...logged.types].join(),
    );
  });

  for (const { binary, version } of [
    { binary: 'prometheus', version: 3 },
    { binary: 'prometheus2', version: 2 },
  ] as const) {
    it(`reads the out-of-order log and the head chunks of ${binary} as it was fed`, async function () {
      const dir = directory();
      const prometheus = await start({
        program: needPeer(this, binary),
        version,
        dataDir: dir,
        outOfOrderWindow: '1d',
      });
      const random = seededRandom(4);
      const labels = Array.from({ length: 3 }, (_, i) => Labels.of({ __name__: 'm', i: String(i) }));
      const send = (times: readonly number[]): Promise<void> =>
        prometheus.write(labels.map((one) => ({ labels: one, samples: times.map((timeMs) => [timeMs, timeMs / 7]) })));
      const inOrder = Array.from({ length: 500 }, (_, i) => START_MS + 12 * 60 * MINUTE_MS + i * 1000);
      for (let i = 0; i < 500; i += 50) await send(inOrder.slice(i, i + 50));
      const outOfOrder = Array.from({ length: 200 }, (_, i) => START_MS + 11 * 60 * MINUTE_MS + i * 1000).sort(
        () => random() - 0.5,
      );
      for (let i = 0; i < 200; i += 40) await send(outOfOrder.slice(i, i + 40));
      await prometheus.stop('SIGTERM');
      const known = new Map<number, string>();
      const wal = await loggedIn(dir, 'wal', known);
      const wbl = await loggedIn(dir, 'wbl', known);
      for (const one of labels) {
        const times = (logged: Logged): number[] => (logged.dump[one.toString()] ?? []).map(([timeMs]) => timeMs);
        // What is out of order comes first to the log as well.
        assert.deepEqual(times(wal), [...inOrder, ...outOfOrder]);
        assert.deepEqual(times(wbl), outOfOrder);
      }
      const { chunks, report } = await headChunksOf(dir);
      assert.deepEqual(report.damage, []);
      assert.ok(chunks.some(({ outOfOrder: is }) => is) && chunks.some(({ outOfOrder: is }) => !is));
      // Every chunk that a marker names is there, and marked as out of order.
      const marked = wbl.markers.filter(([, file]) => file !== 0);
      assert.ok(marked.length > 0);
      for (const [ref, file, offsetBytes] of marked) {
        const chunk = chunks.find((one) => one.file === file && one.offsetBytes === offsetBytes);
        assert.deepEqual([chunk?.ref, chunk?.outOfOrder], [ref, true]);
      }
      // All samples of the chunks are ones that were sent.
      const files = new HeadChunkFiles({ dir: join(dir, 'chunks_head'), fileSystem: nodeFileSystem, kernels });
      const decoder = new ChunkDecoder(kernels);
      for (const { file, offsetBytes, sampleCount, outOfOrder: is } of chunks) {
        const chunk = files.read(file, offsetBytes);
        const columns = new SampleColumns();
        decoder.decode(chunk.encoding, chunk.bytes, -Infinity, Infinity, columns);
        assert.equal(columns.length, sampleCount);
        const sent = new Set(is ? outOfOrder : inOrder);
        for (const [timeMs, value] of columnsText(columns)) {
          assert.ok(sent.has(timeMs));
          assert.equal(value, String(timeMs / 7));
        }
        assert.deepEqual(
          [chunk.minTimeMs, chunk.maxTimeMs],
          [columns.timestamps[0], columns.timestamps[columns.length - 1]],
        );
      }
      files.close();
    });
  }

  it('reads the head chunks that a killed Prometheus leaves in space it had preallocated', async function () {
    const dir = directory();
    const prometheus = await start({ program: needPeer(this, 'prometheus'), version: 3, dataDir: dir });
    const labels = Labels.of({ __name__: 'm' });
    const samples: [number, number][] = Array.from({ length: 1000 }, (_, i) => [START_MS + i * 1000, i / 3]);
    for (let i = 0; i < 1000; i += 100) await prometheus.write([{ labels, samples: samples.slice(i, i + 100) }]);
    // Stopped, it has written its chunks; started again, it writes to a file that a kill leaves as it was created.
    await prometheus.stop();
    const program = needPeer(this, 'prometheus');
    const again = await start({ program, version: 3, dataDir: dir, reloadInterval: '1s' });
    for (let i = 1000; i < 2000; i += 100) {
      await again.write([{ labels, samples: samples.slice(i - 1000, i - 900).map(([t, v]) => [t + 1_000_000, v]) }]);
    }
    const files = join(dir, 'chunks_head');
    await eventually('a second file with its header', PATIENCE_MS, () => {
      const [, second] = readdirSync(files).sort();
      return Promise.resolve(second !== undefined && readFileSync(join(files, second)).readUInt32BE(0) !== 0);
    });
    await again.stop('SIGKILL');
    const copy = directory();
    cpSync(files, join(copy, 'chunks_head'), { recursive: true });
    const { chunks, report } = await headChunksOf(copy);
    assert.deepEqual(report.damage, []);
    const read = chunks.reduce((sum, { sampleCount }) => sum + sampleCount, 0);
    assert.ok(read >= 840, `${read} samples`);
  });
});

/** A record decoded and encoded anew, as hexadecimal. */
function writtenBack(address: number, length: number, flags: number): string {
  const framer = new CommitFramer(kernels, false);
  framer.begin(0);
  const add = (commit: WalCommit): void => framer.add(commit);
  const decoder = new RecordDecoder(kernels, {
    series: (series) => add({ series: seriesOf(series.map(({ ref, labels }) => [ref, labels] as const)) }),
    samples: (samples) => add({ samples }),
    histograms: (histograms) => add({ histograms: withFirstOf(histograms, address) }),
    exemplars: (exemplars) => add({ exemplars }),
    metadata: (metadata) => add({ metadata }),
    tombstones: (tombstones) => add({ tombstones }),
    mmapMarkers: (mmapMarkers) => add({ mmapMarkers }),
  });
  decoder.decode(address, length, flags);
  const frames = Buffer.from(framer.bytes);
  const text = frames.toString('hex', 7, 7 + frames.readUInt16BE(1));
  decoder.release();
  framer.release();
  return text;
}

/**
 * A record counts from the first histogram of its commit, which may be one with custom buckets and then is not in it. That
 * one is put back, as far as it matters.
 */
function withFirstOf(histograms: HistogramSamples, address: number): HistogramSamples {
  const record = Buffer.from(kernels.arena.u8.slice(address + 1, address + 17));
  const [ref, timeMs] = [Number(record.readBigUInt64BE(0)), Number(record.readBigInt64BE(8))];
  if (ref === histograms.refs[0] && timeMs === histograms.timesMs[0]) return histograms;
  const first = { ...histograms.histograms[0]!, schema: -53 };
  const all = histograms.refs.map((one, i) => [one, histograms.timesMs[i]!, histograms.histograms[i]!] as const);
  return histogramsOf([[ref, timeMs, first], ...all]);
}

function hex(address: number, length: number): string {
  return Buffer.from(kernels.arena.u8.slice(address, address + length)).toString('hex');
}
