import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { seededRandom } from '../../../../lib/env/index.ts';
import { createKernels } from '../../../../lib/kernels/index.ts';
import { Head } from '../../../../lib/tsdb/head/head.ts';
import { HistogramSamples } from '../../../../lib/tsdb/wal/histogram-record.ts';
import { SampleBuffer } from '../../../../lib/tsdb/head/columns.ts';
import type { ChunkPlace } from '../../../../lib/tsdb/head/series-reader.ts';
import { truncateHead } from '../../../../lib/tsdb/head/truncation.ts';
import { flatOut } from '../../../../lib/tsdb/pace.ts';
import {
  FLAG_ENOUGH,
  FLAG_KEPT_FROM,
  FLAG_STOP,
  FLAG_WHOLE,
  FLAGS,
  histogramOf,
  INTERVAL_MS,
  isHistogram,
  labelsOf,
  LATE_INTERVALS,
  LATE_MS,
  type ReaderData,
  type ReaderReport,
  SERIES_PER_GROUP,
  storeChunk,
  storedChunk,
  valueOf,
} from './two-threads.ts';

const SECONDS = Number(process.env['PROMLET_TWO_THREADS_SECONDS'] ?? 2);
/** It takes as many as it takes; this only ends a test that hangs. */
const MAX_EXTRA_SECONDS = 900;
const GROUPS = 12;
/** Intervals that stay when the head is truncated; and how often that is. */
const KEPT_INTERVALS = 150;
const TRUNCATE_EVERY = 60;
const TRUNCATIONS = 3;
const FILE_BYTES = 64 << 20;

describe('tsdb head: a writer and a reader on two threads', () => {
  it('reads whole commits and exact samples while series are created, appended to, mapped, truncated and removed', async function () {
    this.timeout((SECONDS + MAX_EXTRA_SECONDS) * 1000);
    const random = seededRandom(42);
    const head = new Head(createKernels(), 7_200_000, { maxSeries: 0, maxFutureMs: 0 }, undefined, random);
    const { arena } = head.kernels;
    const flags = new SharedArrayBuffer(FLAGS * 4);
    const words = new Int32Array(flags);
    const file = new SharedArrayBuffer(FILE_BYTES);
    head.readMapped = (place) => storedChunk(file, place);
    const groups: { group: number; refs: number[] }[] = [];
    let nextGroup = 0;
    const addGroup = (): void => {
      const group = nextGroup++;
      groups.push({
        group,
        refs: Array.from({ length: SERIES_PER_GROUP }, (_, i) => head.getOrCreate(labelsOf(group, i))),
      });
      head.unlogged = [];
    };
    while (groups.length < GROUPS) addGroup();
    const samples = new SampleBuffer(arena);
    const scrape = ({ group, refs }: { group: number; refs: number[] }, interval: number): void => {
      const timeMs = interval * INTERVAL_MS;
      const histograms = new HistogramSamples();
      samples.length = 0;
      samples.reserve(SERIES_PER_GROUP);
      refs.forEach((ref, i) => {
        if (isHistogram(i)) {
          histograms.push(ref, timeMs, histogramOf(group, i, interval));
          return;
        }
        arena.u32[(samples.refs >>> 2) + samples.length] = ref;
        arena.f64[samples.times / 8 + samples.length] = timeMs;
        arena.f64[samples.values / 8 + samples.length++] = valueOf(group, i, interval);
      });
      // As an appender commits.
      head.root.beginWrite();
      head.apply(samples, () => assert.fail('a series is missing'));
      head.applyHistograms(histograms, () => assert.fail('a series is missing'));
      if (interval % LATE_INTERVALS === 0) {
        const lateInterval = interval - LATE_INTERVALS;
        head.outOfOrder.insert(refs[0]!, lateInterval * INTERVAL_MS + LATE_MS, valueOf(group, 0, lateInterval));
      }
      head.root.endWrite();
    };
    // Late samples, which nothing compacts here, go with their series.
    const seriesLeaves = head.seriesLeaves.bind(head);
    head.seriesLeaves = (ref) => {
      head.outOfOrder.remove(ref);
      seriesLeaves(ref);
    };
    const places: ChunkPlace[] = [];
    let fileEnd = 0;
    const mapChunks = (): void => {
      for (const ref of head.table.takeUnmapped()) {
        const record = head.table.record(ref);
        if (record === 0) continue;
        const open = arena.u32[(record + 40) >>> 2];
        const count = head.table.chunkPlaces(record, -Infinity, Infinity, places);
        for (const { block, mapped, data, lengthBytes, encoding, minTimeMs, maxTimeMs } of places.slice(0, count)) {
          if (mapped || block === open) continue;
          // A ring: what is overwritten was truncated long ago.
          if (fileEnd + 4096 > FILE_BYTES) fileEnd = 0;
          const place = { file: 1, offsetBytes: fileEnd };
          const bytes = arena.u8.subarray(data, data + lengthBytes);
          fileEnd = storeChunk(file, fileEnd, { encoding, minTimeMs, maxTimeMs, bytes });
          head.root.beginWrite();
          head.table.mapChunk(ref, block, place);
          head.root.endWrite();
        }
      }
    };

    const data: ReaderData = { head: head.view.handle, flags, file };
    const worker = new Worker(new URL('./reader-thread.ts', import.meta.url), { workerData: data });
    const reported = once(worker, 'message') as Promise<[ReaderReport]>;
    const reader = { isDone: false };
    const done = (): void => void (reader.isDone = true);
    reported.then(done, done);
    let interval = 0;
    let truncations = 0;
    try {
      let workedFromMs = performance.now();
      const untilMs = workedFromMs + SECONDS * 1000;
      const isOver = (): boolean => performance.now() >= untilMs;
      const isEnough = (): boolean =>
        truncations >= TRUNCATIONS && head.seriesRemoved > SERIES_PER_GROUP && Atomics.load(words, FLAG_ENOUGH) !== 0;
      // A head leaves its readers far more time between its scrapes than it takes for them, on a slow machine too.
      const pause = async (): Promise<void> => {
        const workedMs = performance.now() - workedFromMs;
        await new Promise((resolve) => setTimeout(resolve, Math.max(2, workedMs)));
        workedFromMs = performance.now();
      };
      while (!(isOver() && isEnough()) && !reader.isDone) {
        interval++;
        for (const group of groups) scrape(group, interval);
        if (interval % 25 === 0) mapChunks();
        if (interval % 40 === 0) {
          groups.splice(Math.floor(random() * groups.length), 1);
          addGroup();
        }
        if (interval % TRUNCATE_EVERY === 0 && interval > KEPT_INTERVALS) {
          // When the reader has fallen behind it reads a selection between any two truncations.
          const read = Atomics.load(words, FLAG_WHOLE);
          while (isOver() && Atomics.load(words, FLAG_WHOLE) === read && !reader.isDone) await pause();
          const from = interval - KEPT_INTERVALS;
          Atomics.store(words, FLAG_KEPT_FROM, from);
          const current = new Set(groups.flatMap(({ refs }) => refs));
          head.mayRemove = (ref) => !current.has(ref);
          await truncateHead(head, from * INTERVAL_MS, flatOut);
          truncations++;
        }
        if (interval % 10 === 0) await pause();
      }
      Atomics.store(words, FLAG_STOP, 1);
      await reported;
    } finally {
      await worker.terminate();
    }
    const [report] = await reported;
    assert.equal(report.error, undefined);
    assert.equal(Atomics.load(words, FLAG_ENOUGH), 1, JSON.stringify(report));
    if (process.env['PROMLET_VERBOSE']) console.log({ ...report, interval, truncations, removed: head.seriesRemoved });
  });
});
