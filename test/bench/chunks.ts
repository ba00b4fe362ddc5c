/** Chunks of every kind, whole: what a sample costs to write and to read, objects included. */
import { pathToFileURL } from 'node:url';
import { seededRandom } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { decodeXor2Twin, Xor2Twin } from '../../lib/kernels/twins/xor2.ts';
import { type FloatHistogram, SampleColumns } from '../../lib/model/index.ts';
import { type Chunk, Encoding } from '../../lib/chunk/chunk.ts';
import { ChunkDecoder } from '../../lib/chunk/decoder.ts';
import { encodeSamples } from '../../lib/chunk/encode.ts';

const START_MS = 1_700_000_000_000;
const STEP_MS = 15_000;
const SAMPLES_PER_CHUNK = 120;
/** Buckets of the benchmark's histograms: those of a request duration at schema 3. */
const BUCKETS = 40;

export interface ChunkFigures {
  readonly xorEncodeNs: number;
  readonly xorDecodeNs: number;
  readonly xor2DecodeNs: number;
  /** Of a histogram with 40 buckets, per sample. */
  readonly histogramEncodeNs: number;
  readonly histogramDecodeNs: number;
  readonly floatHistogramEncodeNs: number;
  readonly floatHistogramDecodeNs: number;
  readonly histogramBytesPerSample: number;
  /** CRC-32C of all chunks written: the same on every machine. */
  readonly hash: number;
}

/** @param scale 1 for figures, less for a quick look that it still works */
export function run(scale: number): ChunkFigures {
  const kernels = createKernels();
  const { arena, wasm } = kernels;
  const decoder = new ChunkDecoder(kernels);
  const series = Math.max(2, Math.round(200 * scale));
  const rounds = scale < 0.5 ? 1 : 5;
  let hash = 0;

  function encode(all: readonly SampleColumns[]): { chunks: Chunk[]; ns: number } {
    let chunks: Chunk[] = [];
    const ns = best(rounds, () => {
      chunks = all.flatMap((columns) => encodeSamples(kernels, columns, 0, columns.length));
    });
    for (const { bytes } of chunks) {
      const address = arena.allocate(bytes.length);
      arena.u8.set(bytes, address);
      hash = wasm.crc32c(hash, address, bytes.length) >>> 0;
      arena.free(address, bytes.length);
    }
    return { chunks, ns: ns / samplesOf(all) };
  }

  function decode(chunks: readonly Chunk[], samples: number): number {
    const columns = new SampleColumns();
    return (
      best(rounds, () => {
        for (const { encoding, bytes } of chunks) {
          columns.clear();
          decoder.decode(encoding, bytes, -Infinity, Infinity, columns);
        }
      }) / samples
    );
  }

  const floats = Array.from({ length: series * 10 }, (_, i) => floatColumns(i));
  const integers = Array.from({ length: series }, (_, i) => histogramColumns(i, true));
  const floatHistograms = Array.from({ length: series }, (_, i) => histogramColumns(i, false));
  const xor = encode(floats);
  const xor2 = floats.map(xor2Chunk);
  const histogram = encode(integers);
  const floatHistogram = encode(floatHistograms);
  return {
    xorEncodeNs: xor.ns,
    xorDecodeNs: decode(xor.chunks, samplesOf(floats)),
    xor2DecodeNs: decode(xor2, samplesOf(floats)),
    histogramEncodeNs: histogram.ns,
    histogramDecodeNs: decode(histogram.chunks, samplesOf(integers)),
    floatHistogramEncodeNs: floatHistogram.ns,
    floatHistogramDecodeNs: decode(floatHistogram.chunks, samplesOf(floatHistograms)),
    histogramBytesPerSample: histogram.chunks.reduce((sum, { bytes }) => sum + bytes.length, 0) / samplesOf(integers),
    hash,
  };
}

/** @returns ns of the fastest round */
function best(rounds: number, work: () => void): number {
  let ms = Infinity;
  for (let i = 0; i < rounds; i++) {
    const started = performance.now();
    work();
    ms = Math.min(ms, performance.now() - started);
  }
  return ms * 1e6;
}

function samplesOf(all: readonly SampleColumns[]): number {
  return all.reduce((sum, { length }) => sum + length, 0);
}

/** A quarter each: constant, counter, small gauge, float gauge. */
function floatColumns(seed: number): SampleColumns {
  const random = seededRandom(seed);
  const columns = new SampleColumns();
  let value = 0;
  for (let i = 0; i < SAMPLES_PER_CHUNK; i++) {
    if ((seed & 3) === 1) value += Math.floor(random() * 50);
    else if ((seed & 3) === 2) value = Math.floor(random() * 10);
    else if ((seed & 3) === 3) value = random() * 100;
    columns.push(START_MS + i * STEP_MS, value);
  }
  return columns;
}

/** A counter of request durations: a few buckets grow at each step. */
function histogramColumns(seed: number, integer: boolean): SampleColumns {
  const random = seededRandom(seed);
  const columns = new SampleColumns();
  const counts = new Float64Array(BUCKETS);
  const none = new Float64Array(0);
  const positiveSpans = [
    { offset: -10, length: BUCKETS - 5 },
    { offset: 3, length: 5 },
  ];
  let count = 0;
  let sum = 0;
  for (let i = 0; i < SAMPLES_PER_CHUNK; i++) {
    for (let j = 0; j < 30; j++) {
      const bucket = Math.floor(((random() + random()) * BUCKETS) / 2);
      counts[bucket]! += integer ? 1 : 0.5;
      count += integer ? 1 : 0.5;
      sum += bucket * random();
    }
    const histogram: FloatHistogram = {
      counterResetHint: 'unknown',
      schema: 3,
      zeroThreshold: 2 ** -128,
      zeroCount: 0,
      count,
      sum,
      positiveSpans,
      negativeSpans: [],
      positiveBuckets: counts.slice(),
      negativeBuckets: none,
      customValues: none,
    };
    columns.pushHistogram(START_MS + i * STEP_MS, integer ? { ...histogram, integer } : histogram);
  }
  return columns;
}

function xor2Chunk(columns: SampleColumns): Chunk {
  const twin = new Xor2Twin();
  for (let i = 0; i < columns.length; i++) twin.append(columns.timestamps[i]!, columns.values[i]!);
  const times = decodeXor2Twin(twin.bytes).times;
  return { minTimeMs: times[0]!, maxTimeMs: times.at(-1)!, encoding: Encoding.xor2, bytes: twin.bytes };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(run(Number(process.argv[2] ?? 1)));
}
