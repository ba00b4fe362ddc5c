import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { type FloatHistogram, Labels, SampleColumns, STALE_NAN } from '../../lib/model/index.ts';
import { type Chunk, Encoding } from '../../lib/chunk/chunk.ts';
import { ChunkDecoder } from '../../lib/chunk/decoder.ts';
import { type HistogramKind, HistogramWalk } from '../tools/histogram-walk.ts';
import { needPeer } from '../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { PrometheusDriver, type PrometheusOptions } from '../tools/prometheus-driver.ts';
import type { WrittenSeries } from '../tools/remote-write.ts';
import { columnsText, floatText, histogramText } from '../tools/samples.ts';
import { HistogramHead } from '../unit/chunk/histogram-head.ts';

const START_MS = 1_700_000_000_000;
const STEP_MS = 20_000;
const STEPS = 400;
/** Less than an hour: half of a block's range is as far back as samples are taken. */
const STEPS_PER_COMMIT = 100;
const RANGE_MS = 7_200_000;
/** Magic, version, padding. */
const FILE_HEADER_BYTES = 8;
const ODD_VALUES = [0, 1, 1, 1, Infinity, -Infinity, NaN, STALE_NAN, 5e-324, 1.7e308];

describe("tsdb: Prometheus's own chunks", function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'promlet-chunks-'))));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  /** Commits the samples of all series, a stretch of time after the other. @returns the chunks of each that were completed */
  async function chunksOf(
    options: Omit<PrometheusOptions, 'dataDir'>,
    series: readonly WrittenSeries[],
  ): Promise<Chunk[][]> {
    const prometheus = await PrometheusDriver.start({ ...options, dataDir: dir });
    try {
      for (let from = 0; from < STEPS; from += STEPS_PER_COMMIT) {
        const to = from + STEPS_PER_COMMIT;
        const part = series.map(({ labels, samples, histograms }) => ({
          labels,
          ...(samples ? { samples: samples.slice(from, to) } : {}),
          ...(histograms ? { histograms: histograms.slice(from, to) } : {}),
        }));
        await prometheus.write(part);
      }
    } finally {
      await prometheus.stop();
    }
    const chunks = readHeadChunks(join(dir, 'chunks_head'));
    return series.map((_, i) => chunks.get(i + 1) ?? []);
  }

  it('are, of histograms, byte for byte those that we write', async function () {
    const program = needPeer(this, 'prometheus');
    const series = histogramSeries(12, 1);
    const chunks = await chunksOf({ program, version: 3 }, series);
    const kernels = createKernels();
    let compared = 0;
    series.forEach(({ labels, histograms }, i) => {
      const head = new HistogramHead(kernels, RANGE_MS);
      for (const [timeMs, histogram] of histograms!) head.append(timeMs, histogram);
      const ours = head.finish();
      // The open chunk of the end stays in the log.
      assert.equal(chunks[i]!.length, ours.length - 1, labels.toString());
      chunks[i]!.forEach((chunk, j) => {
        assert.deepEqual(plain(ours[j]!), plain(chunk), `${labels.toString()} chunk ${j}`);
        compared++;
      });
    });
    assert.ok(compared > 400, `only ${compared} chunks`);
  });

  it('of histograms are read as what was sent', async function () {
    const program = needPeer(this, 'prometheus');
    const encodings = [Encoding.histogram, Encoding.floatHistogram];
    await assertRead({ program, version: 3 }, histogramSeries(8, 2), encodings);
  });

  it('of histograms are read as what was sent to 2.42', async function () {
    const program = needPeer(this, 'prometheus2');
    const encodings = [Encoding.histogram, Encoding.floatHistogram];
    // It crashes on spans written in odd ways, and loses chunks of floats before stale markers.
    const tame = { custom: false, oddSpans: false, breaks: false };
    await assertRead({ program, version: 2 }, histogramSeries(8, 5, tame), encodings);
  });

  it('of histograms with start times are read as what was sent', async function () {
    const program = needPeer(this, 'prometheus');
    const encodings = [Encoding.histogramSt, Encoding.floatHistogramSt];
    const features = ['histograms-st-encoding'];
    await assertRead({ program, version: 3, features }, histogramSeries(8, 3), encodings);
  });

  it('in XOR2 are read as what was sent', async function () {
    const program = needPeer(this, 'prometheus');
    await assertRead({ program, version: 3, floatEncoding: 'xor2' }, floatSeries(12, 4), [Encoding.xor2]);
  });

  async function assertRead(
    options: Omit<PrometheusOptions, 'dataDir'>,
    series: readonly WrittenSeries[],
    encodings: readonly Encoding[],
  ): Promise<void> {
    const chunks = await chunksOf(options, series);
    assert.deepEqual(new Set(chunks.flat().map(({ encoding }) => encoding)), new Set(encodings));
    const decoder = new ChunkDecoder(createKernels());
    series.forEach(({ labels, samples = [], histograms = [] }, i) => {
      const columns = new SampleColumns();
      for (const { encoding, bytes } of chunks[i]!) decoder.decode(encoding, bytes, -Infinity, Infinity, columns);
      const sent = [
        ...samples.map(([timeMs, value]): [number, string] => [timeMs, floatText(value)]),
        ...histograms.map(([timeMs, value]): [number, string] => [timeMs, histogramText(value)]),
      ];
      assert.ok(columns.length > 100, labels.toString());
      assert.deepEqual(columnsText(columns), sent.slice(0, columns.length), labels.toString());
    });
  }
});

const KINDS: readonly HistogramKind[] = [
  { integer: true },
  { integer: false },
  { integer: true, gauge: true },
  { integer: false, gauge: true },
  // Without breaks chunks fill up.
  { integer: true, breaks: false },
  { integer: false, breaks: false },
];

function histogramSeries(count: number, seed: number, all: Partial<HistogramKind> = {}): WrittenSeries[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const walk = new HistogramWalk(random, { ...KINDS[i % KINDS.length]!, ...all });
    const histograms = times(random).map((timeMs): [number, FloatHistogram] => [timeMs, walk.next()]);
    return { labels: Labels.of({ __name__: 'h', i: String(i) }), histograms };
  });
}

function floatSeries(count: number, seed: number): WrittenSeries[] {
  const random = seededRandom(seed);
  const kinds: ((before: number) => number)[] = [
    () => 42,
    (before) => before + Math.floor(random() * 100),
    (before) => before + random() - 0.5,
    (before) => (random() < 0.02 ? STALE_NAN : Math.floor(Number.isNaN(before) ? 0 : before) + 1),
    () => ODD_VALUES[Math.floor(random() * ODD_VALUES.length)]!,
    () => random() * 10 ** (random() * 600 - 300),
  ];
  return Array.from({ length: count }, (_, i) => {
    let value = 1000;
    const samples = times(random).map((timeMs): [number, number] => [
      timeMs,
      (value = kinds[i % kinds.length]!(value)),
    ]);
    return { labels: Labels.of({ __name__: 'f', i: String(i) }), samples };
  });
}

/** Steady, early and late, and now and then a pause. */
function times(random: () => number): number[] {
  const jitter = Math.floor(random() * 3) * 4;
  let timeMs = START_MS;
  return Array.from({ length: STEPS }, () => {
    timeMs += STEP_MS + Math.floor(random() * jitter) + (random() < 0.01 ? Math.floor(2 ** (random() * 16)) : 0);
    return timeMs;
  });
}

function plain({ minTimeMs, maxTimeMs, encoding, bytes }: Chunk): object {
  return { minTimeMs, maxTimeMs, encoding, bytes: Buffer.from(bytes).toString('hex') };
}

/** The chunks of every series in files of tsdb/docs/format/head_chunks.md, in order; trusted. */
function readHeadChunks(path: string): Map<number, Chunk[]> {
  const out = new Map<number, Chunk[]>();
  for (const name of readdirSync(path).sort()) {
    const file = readFileSync(join(path, name));
    let at = FILE_HEADER_BYTES;
    // The file may end in zeros.
    while (at + 25 < file.length) {
      const ref = file.readUInt32BE(at + 4);
      if (ref === 0) break;
      const minTimeMs = Number(file.readBigInt64BE(at + 8));
      const maxTimeMs = Number(file.readBigInt64BE(at + 16));
      const encoding = file[at + 24]! as Encoding;
      at += 25;
      let length = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = file[at++]!;
        length |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      const list = out.get(ref) ?? [];
      out.set(ref, list);
      list.push({ minTimeMs, maxTimeMs, encoding, bytes: file.subarray(at, at + length) });
      at += length + 4;
    }
  }
  return out;
}
