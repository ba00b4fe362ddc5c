/** XOR chunks: encode and decode in the kernel and in its twin, and a whole scrape through the head and the log. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createLogger, nodeFileSystem, seededRandom, systemClock } from '../../lib/env/index.ts';
import { createKernels, type Kernels } from '../../lib/kernels/index.ts';
import { decodeXorTwin, XorTwin } from '../../lib/kernels/twins/xor.ts';
import { Labels } from '../../lib/model/index.ts';
import { openTsdb, type Tsdb } from '../../lib/tsdb/index.ts';
import { SampleBuffer } from '../../lib/tsdb/head/columns.ts';
import { Head } from '../../lib/tsdb/head/head.ts';
import type { ChunkPlace } from '../../lib/tsdb/head/series-reader.ts';

const START_MS = 1_700_000_000_000;
const STEP_MS = 15_000;
const UNLIMITED = { maxSeries: 0, maxFutureMs: 0 };

export interface XorFigures {
  readonly encodeNs: number;
  readonly decodeNs: number;
  readonly twinEncodeNs: number;
  readonly twinDecodeNs: number;
  /** appendColumns and commit, log included, per sample. */
  readonly appendSnappyNs: number;
  readonly appendPlainNs: number;
  readonly replayNs: number;
  readonly walBytesPerSample: number;
  readonly residentBytesPerSeries: number;
  readonly arenaBytesPerSeries: number;
  /** CRC-32C of all chunks written: the same on every machine. */
  readonly hash: number;
}

/** @param scale 1 for figures (100,000 series), less for a quick look that it still works */
export async function run(scale: number): Promise<XorFigures> {
  const series = Math.max(50, Math.round(2000 * scale));
  const { encodeNs, decodeNs, hash, chunks } = encodeDecode(series);
  const twin = twinEncodeDecode(chunks);
  const big = Math.max(100, Math.round(100_000 * scale));
  const plain = await ingest(big, scale < 0.5 ? 3 : 20, 'none');
  const snappy = await ingest(big, scale < 0.5 ? 3 : 20, 'snappy');
  return {
    encodeNs,
    decodeNs,
    ...twin,
    appendSnappyNs: snappy.appendNs,
    appendPlainNs: plain.appendNs,
    replayNs: snappy.replayNs,
    walBytesPerSample: snappy.walBytesPerSample,
    residentBytesPerSeries: plain.residentBytesPerSeries,
    arenaBytesPerSeries: plain.arenaBytesPerSeries,
    hash,
  };
}

/** A quarter each: constant, counter, small gauge, float gauge. */
function nextValue(i: number, before: number, random: () => number): number {
  switch (i & 3) {
    case 0:
      return before;
    case 1:
      return before + Math.floor(random() * 50);
    case 2:
      return Math.floor(random() * 10);
    default:
      return random() * 100;
  }
}

function encodeDecode(series: number): { encodeNs: number; decodeNs: number; hash: number; chunks: Uint8Array[] } {
  const kernels = createKernels();
  const { arena, wasm } = kernels;
  const random = seededRandom(1);
  const head = new Head(kernels, 7_200_000, UNLIMITED);
  const refs = Array.from({ length: series }, (_, i) => head.getOrCreate(Labels.of({ i: String(i) })));
  const samples = new SampleBuffer(arena);
  samples.reserve(series);
  samples.length = series;
  const values = new Float64Array(series);
  let encodeMs = 0;
  const scrapes = 480;
  for (let scrape = 0; scrape < scrapes; scrape++) {
    for (let i = 0; i < series; i++) {
      values[i] = nextValue(i, values[i]!, random);
      arena.u32[(samples.refs >>> 2) + i] = refs[i]!;
    }
    arena.f64.fill(START_MS + scrape * STEP_MS, samples.times / 8, samples.times / 8 + series);
    arena.f64.set(values, samples.values / 8);
    const started = performance.now();
    head.apply(samples, () => 0);
    encodeMs += performance.now() - started;
  }
  const columns = arena.allocate(256 * 16);
  const places: ChunkPlace[] = [];
  const chunks: Uint8Array[] = [];
  let hash = 0;
  for (const ref of refs) {
    const count = head.table.chunkPlaces(head.table.record(ref), -Infinity, Infinity, places);
    for (const { data, lengthBytes } of places.slice(0, count)) {
      hash = wasm.crc32c(hash, data, lengthBytes) >>> 0;
      if (chunks.length < 2000) chunks.push(arena.u8.slice(data, data + lengthBytes));
    }
  }
  const addresses = chunks.map((bytes) => {
    const address = arena.allocate(bytes.length + 8);
    arena.u8.set(bytes, address);
    return address;
  });
  let decoded = 0;
  const started = performance.now();
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < chunks.length; i++) {
      decoded += wasm.decodeXor(addresses[i]!, chunks[i]!.length, columns, columns + 256 * 8, 256);
    }
  }
  const decodeMs = performance.now() - started;
  return { encodeNs: (encodeMs * 1e6) / (series * scrapes), decodeNs: (decodeMs * 1e6) / decoded, hash, chunks };
}

function twinEncodeDecode(chunks: readonly Uint8Array[]): { twinEncodeNs: number; twinDecodeNs: number } {
  let samples = 0;
  let decodeMs = 0;
  let encodeMs = 0;
  for (const bytes of chunks.slice(0, 300)) {
    const decodeStarted = performance.now();
    const { times, values } = decodeXorTwin(bytes);
    decodeMs += performance.now() - decodeStarted;
    const encodeStarted = performance.now();
    const twin = new XorTwin();
    for (let i = 0; i < times.length; i++) twin.append(times[i]!, values[i]!);
    encodeMs += performance.now() - encodeStarted;
    samples += times.length;
  }
  return { twinEncodeNs: (encodeMs * 1e6) / samples, twinDecodeNs: (decodeMs * 1e6) / samples };
}

async function ingest(
  seriesCount: number,
  scrapes: number,
  walCompression: 'none' | 'snappy',
): Promise<{
  appendNs: number;
  replayNs: number;
  walBytesPerSample: number;
  residentBytesPerSeries: number;
  arenaBytesPerSeries: number;
}> {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-bench-'));
  const opened = (kernels: Kernels): Promise<Tsdb> =>
    openTsdb({
      dir,
      fileSystem: nodeFileSystem,
      clock: systemClock,
      logger: createLogger('silent'),
      kernels,
      walCompression,
      limits: { maxFutureMs: 0 },
    });
  try {
    const targets = 100;
    const perTarget = Math.ceil(seriesCount / targets);
    const total = targets * perTarget;
    const residentBefore = residentBytes();
    const kernels = createKernels();
    const db = await opened(kernels);
    const refs = Array.from({ length: targets }, () => new Uint32Array(perTarget));
    for (let target = 0; target < targets; target++) {
      const appender = db.appender();
      for (let i = 0; i < perTarget; i++) {
        refs[target]![i] = appender.series(labelsOf(target, i));
      }
      await appender.commit();
    }
    const random = seededRandom(1);
    const values = refs.map((list) => new Float64Array(list.length));
    const results = new Uint8Array(perTarget);
    let appendMs = 0;
    const bytesBefore = db.stats().walBytesWritten;
    for (let scrape = 0; scrape < scrapes; scrape++) {
      for (let target = 0; target < targets; target++) {
        const column = values[target]!;
        for (let i = 0; i < perTarget; i++) column[i] = nextValue(i, column[i]!, random);
        const started = performance.now();
        const appender = db.appender();
        appender.appendColumns(refs[target]!, column, perTarget, START_MS + scrape * STEP_MS + target * 7, results);
        await appender.commit();
        appendMs += performance.now() - started;
      }
    }
    const walBytes = db.stats().walBytesWritten - bytesBefore;
    const arenaBytes = db.stats().arenaUsedBytes;
    const resident = residentBytes() - residentBefore;
    await db.close();
    const again = await opened(createKernels());
    const { replay } = again.stats();
    await again.close();
    return {
      appendNs: (appendMs * 1e6) / (total * scrapes),
      replayNs: (replay.durationMs * 1e6) / replay.samples,
      walBytesPerSample: walBytes / (total * scrapes),
      residentBytesPerSeries: resident / total,
      arenaBytesPerSeries: arenaBytes / total,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function labelsOf(target: number, i: number): Labels {
  return Labels.of({
    __name__: `http_requests_${i % 50}_total`,
    instance: `10.0.0.${target}:8080`,
    job: 'bench',
    namespace: `team-${target % 10}`,
    pod: `app-${target}`,
    path: `/api/${Math.floor(i / 50)}`,
    node: 'node-a',
  });
}

/** Resident memory after a collection where that is possible (`--expose-gc`). */
function residentBytes(): number {
  globalThis.gc?.();
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(await run(Number(process.argv[2] ?? 1)));
}
