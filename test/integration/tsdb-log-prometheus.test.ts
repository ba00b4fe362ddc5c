import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeFileSystem, seededRandom } from '../../lib/env/index.ts';
import { type FloatHistogram, Labels, SampleColumns } from '../../lib/model/index.ts';
import { ChunkDecoder } from '../../lib/tsdb/chunk/decoder.ts';
import { encodeSamples } from '../../lib/tsdb/chunk/encode.ts';
import { HeadChunkFiles } from '../../lib/tsdb/head-chunks/files.ts';
import { type LoadedChunk, loadHeadChunks } from '../../lib/tsdb/head-chunks/load.ts';
import { HeadChunkWriter } from '../../lib/tsdb/head-chunks/writer.ts';
import { writeCheckpoint } from '../../lib/tsdb/wal/checkpoint.ts';
import { CommitFramer, type WalCommit } from '../../lib/tsdb/wal/commit.ts';
import type { HistogramSamples } from '../../lib/tsdb/wal/histogram-record.ts';
import { listLog } from '../../lib/tsdb/wal/log-files.ts';
import { type LogVisitor, RecordDecoder } from '../../lib/tsdb/wal/record-decoder.ts';
import { Scratch } from '../../lib/tsdb/wal/scratch.ts';
import { readSegment } from '../../lib/tsdb/wal/segment-reader.ts';
import { HistogramWalk } from '../tools/histogram-walk.ts';
import { needPeer } from '../tools/peers.ts';
import { PrometheusDriver, type PrometheusOptions } from '../tools/prometheus-driver.ts';
import { call } from '../tools/prometheus-api.ts';
import type { WrittenSeries } from '../tools/remote-write.ts';
import { columnsText, type Dump, floatText, histogramText } from '../tools/samples.ts';
import { temporaryDirectory, TestClock } from '../unit/tsdb/environment.ts';
import { histogramsOf, kernels, logWriter, readLog, samplesOf, seriesOf, silent } from '../unit/tsdb/wal/log.ts';

const START_MS = 1_700_000_000_000;
const MINUTE_MS = 60_000;
/** What remote write 2.0 makes of none. */
const NO_METADATA = { type: 'unknown', unit: '', help: '' };

describe('tsdb: log and head chunk files beside Prometheus', function () {
  this.timeout(60_000);
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

  /** Series of every kind that the version takes by remote write, `steps` samples each, a minute apart. */
  function everyKind(steps: number, seed: number, version: 2 | 3): WrittenSeries[] {
    const random = seededRandom(seed);
    const times = Array.from({ length: steps }, (_, i) => START_MS + i * MINUTE_MS + Math.floor(random() * 1000));
    const walk = (integer: boolean): [number, FloatHistogram][] => {
      const histograms = new HistogramWalk(random, { integer });
      return times.map((timeMs) => [timeMs, histograms.next()]);
    };
    // 2.42 falls over odd layouts.
    const plain = times.map((timeMs, i): [number, FloatHistogram] => [timeMs, plainHistogram(i)]);
    const kinds: Omit<WrittenSeries, 'labels'>[] = [
      {
        samples: times.map((timeMs) => [timeMs, random() < 0.5 ? Math.floor(random() * 100) : random() * 1e9]),
        exemplars: times.map((timestampMs, i) => {
          return { labels: Labels.of({ trace: `t${i}` }), value: i / 3, timestampMs };
        }),
        metadata: { type: 'counter', unit: 'seconds', help: 'of "all" things\n' },
      },
      { samples: times.map((timeMs, i) => [timeMs, [NaN, Infinity, -Infinity, 5e-324][i % 4]!]) },
      { histograms: plain, metadata: { type: 'histogram', unit: '', help: 'spread' } },
      ...(version === 3
        ? [true, false, true, false, true, false].map((integer) => ({ histograms: walk(integer) }))
        : []),
    ];
    return kinds.flatMap((kind, i) =>
      [0, 1].map((j) => ({ ...kind, labels: Labels.of({ __name__: `m${i}`, j: String(j), odd: 'ü"\\\n' }) })),
    );
  }

  /** Parts of the samples, histograms and exemplars of every series. */
  function parts(series: readonly WrittenSeries[], steps: number, size: number): WrittenSeries[][] {
    return Array.from({ length: Math.ceil(steps / size) }, (_, part) => {
      const cut = <Item>(items: readonly Item[] | undefined): Item[] =>
        [...(items ?? [])].slice(part * size, (part + 1) * size);
      return series.map((one) => ({
        ...one,
        samples: cut(one.samples),
        histograms: cut(one.histograms),
        exemplars: cut(one.exemplars),
      }));
    });
  }

  function dumpOf(series: readonly WrittenSeries[]): Dump {
    return Object.fromEntries(
      series.map(({ labels, samples = [], histograms = [] }) => [
        labels.toString(),
        [
          ...samples.map(([timeMs, value]): [number, string] => [timeMs, floatText(value)]),
          ...histograms.map(([timeMs, value]): [number, string] => [timeMs, histogramText(value)]),
        ],
      ]),
    );
  }

  /** What a log holds, as a dump; the newest of two samples for one time is dropped, as a head does. */
  async function loggedIn(dir: string, log = 'wal', known?: Map<number, string>): Promise<Logged> {
    const logged: Logged = { dump: {}, exemplars: {}, metadata: {}, tombstones: [], markers: [], types: new Set() };
    const labelsOf = known ?? new Map<number, string>();
    const visitor: Required<Omit<LogVisitor, 'encodedSeries'>> = {
      series: (series) => series.forEach(({ ref, labels }) => labelsOf.set(ref, labels.toString())),
      samples: ({ refs, times, values, length }) => {
        const { u32, f64 } = kernels.arena;
        for (let i = 0; i < length; i++) {
          const row: [number, string] = [f64[times / 8 + i]!, floatText(f64[values / 8 + i]!)];
          (logged.dump[labelsOf.get(u32[refs / 4 + i]!)!] ??= []).push(row);
        }
      },
      histograms: ({ refs, timesMs, histograms }) =>
        refs.forEach((ref, i) => {
          (logged.dump[labelsOf.get(ref)!] ??= []).push([timesMs[i]!, histogramText(histograms[i]!)]);
        }),
      exemplars: (rows) =>
        rows.forEach(({ ref, exemplar }) => (logged.exemplars[labelsOf.get(ref)!] ??= []).push(exemplar)),
      metadata: (rows) => rows.forEach(({ ref, metadata }) => (logged.metadata[labelsOf.get(ref)!] = metadata)),
      tombstones: (rows) =>
        rows.forEach(({ ref, interval }) =>
          logged.tombstones.push([labelsOf.get(ref)!, interval.minTimeMs, interval.maxTimeMs]),
        ),
      mmapMarkers: (rows) =>
        rows.forEach(({ ref, file, offsetBytes }) => logged.markers.push([ref, file, offsetBytes])),
    };
    await eachRecord(join(dir, log), (type, address, length, flags) => {
      const decoder = new RecordDecoder(kernels, visitor);
      assert.equal(decoder.decode(address, length, flags), undefined);
      logged.types.add(type);
      decoder.release();
    });
    return logged;
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

  it('reads the head chunks that a killed Prometheus leaves in space it had preallocated', async function () {
    const dir = directory();
    const prometheus = await start({ program: needPeer(this, 'prometheus'), version: 3, dataDir: dir });
    const labels = Labels.of({ __name__: 'm' });
    const samples: [number, number][] = Array.from({ length: 1000 }, (_, i) => [START_MS + i * 1000, i / 3]);
    for (let i = 0; i < 1000; i += 100) await prometheus.write([{ labels, samples: samples.slice(i, i + 100) }]);
    // Stopped, it has written its chunks; started again, it writes to a file that a kill leaves as it was created.
    await prometheus.stop();
    const again = await start({ program: needPeer(this, 'prometheus'), version: 3, dataDir: dir });
    for (let i = 1000; i < 2000; i += 100) {
      await again.write([{ labels, samples: samples.slice(i - 1000, i - 900).map(([t, v]) => [t + 1_000_000, v]) }]);
    }
    await again.stop('SIGKILL');
    const copy = directory();
    cpSync(join(dir, 'chunks_head'), join(copy, 'chunks_head'), { recursive: true });
    const { chunks, report } = await headChunksOf(copy);
    assert.deepEqual(report.damage, []);
    const read = chunks.reduce((sum, { sampleCount }) => sum + sampleCount, 0);
    assert.ok(read >= 840, `${read} samples`);
  });
});

function change(path: string, edit: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  edit(bytes);
  writeFileSync(path, bytes);
}

/** The `i`th of a series that only grows. */
function plainHistogram(i: number): FloatHistogram {
  return {
    integer: true,
    counterResetHint: 'unknown',
    schema: 2,
    zeroThreshold: 0.001,
    zeroCount: i,
    count: 3 + i * 8,
    sum: i * 1.5,
    positiveSpans: [
      { offset: -3, length: 2 },
      { offset: 4, length: 1 },
    ],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(1 + i, 1 + i * 4, 1 + i * 2),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
  };
}

async function instant(url: string, query: string, time: number): Promise<string[]> {
  const { data } = await call<{ result: { value: [number, string] }[] }>(url, 'query', { query, time: String(time) });
  return data.result.map(({ value }) => value[1]);
}

interface Logged {
  readonly dump: Dump;
  readonly exemplars: Record<string, unknown[]>;
  readonly metadata: Record<string, unknown>;
  readonly tombstones: unknown[];
  readonly markers: (readonly [ref: number, file: number, offsetBytes: number])[];
  /** Of the records; right when they are not compressed. */
  readonly types: Set<number>;
}

/** Every record of a log, as it is stored. */
async function eachRecord(
  dir: string,
  visit: (type: number, address: number, length: number, flags: number) => void,
): Promise<void> {
  const host = {
    fileSystem: nodeFileSystem,
    kernels,
    window: new Scratch(kernels.arena),
    record: new Scratch(kernels.arena),
    pause: () => undefined,
  };
  for (const index of listLog(nodeFileSystem, dir).segments) {
    const path = join(dir, String(index).padStart(8, '0'));
    const scan = await readSegment(host, path, (address, length, flags) => {
      visit(kernels.arena.u8[address]!, address, length, flags);
    });
    assert.deepEqual(scan.gaps, []);
  }
  host.window.release();
  host.record.release();
}

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

async function headChunksOf(
  dir: string,
): Promise<{ chunks: LoadedChunk[]; report: Awaited<ReturnType<typeof loadHeadChunks>> }> {
  const chunks: LoadedChunk[] = [];
  const report = await loadHeadChunks(
    {
      dir: join(dir, 'chunks_head'),
      corruptDir: join(dir, 'corrupt'),
      fileSystem: nodeFileSystem,
      kernels,
      logger: silent,
      monotonicMs: () => performance.now(),
      repair: true,
    },
    (chunk) => {
      const { ref, minTimeMs, maxTimeMs, encoding, outOfOrder, dataOffset, dataBytes } = chunk;
      const { file, offsetBytes, sampleCount } = chunk;
      chunks.push({
        ref,
        minTimeMs,
        maxTimeMs,
        encoding,
        outOfOrder,
        dataOffset,
        dataBytes,
        file,
        offsetBytes,
        sampleCount,
      });
    },
  );
  return { chunks, report };
}
