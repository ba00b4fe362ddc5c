import assert from 'node:assert/strict';
import { type Random, seededRandom } from '../../../lib/env/index.ts';
import { createKernels, layout as blockLayout } from '../../../lib/kernels/index.ts';
import {
  decodeHistogramsTwin,
  encodeHistogramsTwin,
  type TwinLayout,
  type TwinSample,
} from '../../../lib/kernels/twins/histogram.ts';
import { type FloatHistogram, type HistogramSpan, isStaleNaN, STALE_NAN } from '../../../lib/model/index.ts';
import { Encoding } from '../../../lib/chunk/chunk.ts';
import { CounterResetHeader } from '../../../lib/chunk/counter-reset.ts';
import { HistogramChunkAppender, HistogramScratch } from '../../../lib/chunk/histogram-appender.ts';
import { HistogramReader } from '../../../lib/chunk/histogram-reader.ts';

const THRESHOLDS = [0, 2 ** -128, 0.001, 2 ** -243, 2 ** -244, 2 ** 10, 2 ** 11, 5e-324, -1, Infinity];
const BOUNDS = [-1.5, 0, 0.001, 0.1, 0.12345, 1, 2.5, 33554.43, 33554.431, 1e9];
const SUMS = [0, -0, 1.5, Infinity, NaN, 1e308];

const counts: Record<string, (random: Random, before: number) => number> = {
  constant: () => 7,
  counter: (random, before) => before + Math.floor(random() * 100),
  gauge: (random) => Math.floor(random() * 1000),
  'counts of every size': (random) => Math.floor(2 ** (random() * 53)),
};

describe('kernels: histogram chunks', function () {
  this.timeout(600_000);
  const kernels = createKernels();
  const { arena } = kernels;
  const appender = new HistogramChunkAppender(new HistogramScratch(kernels));
  const reader = new HistogramReader(kernels);

  function write(layout: TwinLayout, samples: readonly TwinSample[]): Uint8Array {
    samples.forEach((sample, i) => {
      // A gauge goes on whatever its counts are.
      if (i === 0) appender.cut(sample.timeMs, histogramOf(layout, sample), 'first');
      else assert.ok(appender.append(sample.timeMs, histogramOf(layout, sample)), `sample ${i}`);
    });
    const data = appender.block + blockLayout.CHUNK_DATA;
    const bytes = arena.u8.slice(data, data + appender.sizeBytes);
    arena.free(appender.block, appender.blockBytes);
    return bytes;
  }

  /** Some rows at a time. */
  function read(encoding: Encoding, bytes: Uint8Array): { layout: TwinLayout; samples: TwinSample[] } {
    const address = arena.allocate(bytes.length);
    arena.u8.set(bytes, address);
    reader.open(encoding, address, bytes.length);
    const { positive, negative, rowLength, header, schema, zeroThreshold, positiveSpans, negativeSpans } = reader;
    const layout = {
      encoding,
      header,
      schema,
      zeroThreshold,
      positiveSpans,
      negativeSpans,
      customValues: [...reader.customValues],
    };
    const samples: TwinSample[] = [];
    const rows = arena.allocate(rowLength * 8 * 7);
    for (let count = 7; count === 7;) {
      count = reader.next(-Infinity, rows, 7);
      for (let i = 0; i < count; i++) {
        const row = arena.f64.slice(rows / 8 + i * rowLength, rows / 8 + (i + 1) * rowLength);
        const [timeMs, total, zeroCount, sum] = row as unknown as [number, number, number, number];
        const stale = isStaleNaN(sum);
        samples.push({
          timeMs,
          count: total,
          zeroCount,
          sum,
          positive: stale ? [] : [...row.subarray(4, 4 + positive)],
          negative: stale ? [] : [...row.subarray(4 + positive, 4 + positive + negative)],
        });
      }
    }
    arena.free(rows, rowLength * 8 * 7);
    arena.free(address, bytes.length);
    return { layout, samples };
  }

  function assertRead(encoding: Encoding, bytes: Uint8Array, twin: ReturnType<typeof read>): void {
    const { layout, samples } = read(encoding, bytes);
    assert.deepEqual(layout, twin.layout);
    assert.deepEqual(samples.map(unlessStale), twin.samples.map(unlessStale));
  }

  for (const [name, next] of Object.entries(counts)) {
    for (const encoding of [Encoding.histogram, Encoding.floatHistogram]) {
      it(`writes ${name} in encoding ${encoding} as the twin, and reads what it wrote`, () => {
        for (let seed = 1; seed <= 12; seed++) {
          const random = seededRandom(seed);
          const layout = randomLayout(random, encoding);
          const samples = randomSamples(random, layout, next);
          const bytes = write(layout, samples);
          assert.deepEqual(bytes, encodeHistogramsTwin(layout, samples));
          const twin = decodeHistogramsTwin(encoding, bytes);
          assert.deepEqual(twin.samples.map(unlessStale), samples.map(unlessStale));
          assertRead(encoding, bytes, twin);
        }
      });
    }
  }

  for (const encoding of [Encoding.histogramSt, Encoding.floatHistogramSt]) {
    it(`passes over the start times in encoding ${encoding}`, () => {
      for (let seed = 1; seed <= 30; seed++) {
        const random = seededRandom(seed);
        const layout = randomLayout(random, encoding);
        const from = Math.floor(random() * 3) * Math.floor(random() * 140);
        let startMs = 0;
        const samples = randomSamples(random, layout, counts['counter']!);
        const started = samples.map((sample, i) => {
          if (i >= from && random() < 0.5) startMs = sample.timeMs - Math.floor(2 ** (random() * 40));
          return { ...sample, startMs };
        });
        const bytes = encodeHistogramsTwin(layout, started);
        const twin = decodeHistogramsTwin(encoding, bytes);
        assert.deepEqual(twin.samples.map(unlessStale), samples.map(unlessStale));
        assertRead(encoding, bytes, twin);
      }
    });
  }

  it('begins at the first sample that is not too old', () => {
    const random = seededRandom(3);
    const layout = randomLayout(random, Encoding.histogram);
    const samples = randomSamples(random, layout, counts['counter']!).slice(0, 20);
    const bytes = write(layout, samples);
    const address = arena.allocate(bytes.length);
    arena.u8.set(bytes, address);
    reader.open(Encoding.histogram, address, bytes.length);
    const rows = arena.allocate(reader.rowLength * 8 * 20);
    assert.equal(reader.next(samples[12]!.timeMs, rows, 20), samples.length - 12);
    assert.equal(arena.f64[rows / 8], samples[12]!.timeMs);
    assert.equal(reader.read, samples.length);
  });
});

function randomLayout(random: Random, encoding: Encoding): TwinLayout {
  const custom = random() < 0.3;
  const spans = (): HistogramSpan[] =>
    Array.from({ length: Math.floor(random() * 5) }, (_, i) => ({
      offset: Math.floor(2 ** (random() * 20)) * (i === 0 && random() < 0.5 ? -1 : 1),
      length: Math.floor(random() * 20),
    }));
  return {
    encoding,
    header: CounterResetHeader.gauge,
    schema: custom ? -53 : Math.floor(random() * 13) - 4,
    zeroThreshold: THRESHOLDS[Math.floor(random() * THRESHOLDS.length)]!,
    positiveSpans: spans(),
    negativeSpans: spans(),
    customValues: custom ? BOUNDS.slice(Math.floor(random() * BOUNDS.length)) : [],
  };
}

/** Stale markers at the end only: nothing else goes on behind one. */
function randomSamples(
  random: Random,
  { encoding, positiveSpans, negativeSpans }: TwinLayout,
  next: (random: Random, before: number) => number,
): TwinSample[] {
  const float = encoding === Encoding.floatHistogram || encoding === Encoding.floatHistogramSt;
  const total = 1 + Math.floor(random() * 200);
  const stale = random() < 0.3 ? Math.floor(random() * 3) : 0;
  let timeMs = random() < 0.2 ? -1e12 : 1.7e12;
  const before = new Map<string, number>();
  const value = (key: string): number => {
    const count = next(random, before.get(key) ?? 0) + (float && random() < 0.5 ? random() : 0);
    before.set(key, count);
    return count;
  };
  const side = (name: string, spans: readonly HistogramSpan[]): number[] =>
    spans.flatMap(({ length }, i) => Array.from({ length }, (_, j) => value(`${name}${i}:${j}`)));
  return Array.from({ length: total }, (_, i) => {
    timeMs += random() < 0.9 ? 15_000 : 1 + Math.floor(2 ** (random() * 40));
    if (i > 0 && i >= total - stale) {
      return { timeMs, count: 0, zeroCount: 0, sum: STALE_NAN, positive: [], negative: [] };
    }
    return {
      timeMs,
      count: value('count'),
      zeroCount: value('zero'),
      sum: random() < 0.1 ? SUMS[Math.floor(random() * SUMS.length)]! : random() * 1e6,
      positive: side('+', positiveSpans),
      negative: side('-', negativeSpans),
    };
  });
}

function histogramOf(layout: TwinLayout, sample: TwinSample): FloatHistogram {
  const { schema, zeroThreshold, positiveSpans, negativeSpans } = layout;
  return {
    ...(layout.encoding === Encoding.histogram ? { integer: true } : {}),
    counterResetHint: 'gauge',
    schema,
    zeroThreshold,
    zeroCount: sample.zeroCount,
    count: sample.count,
    sum: sample.sum,
    positiveSpans,
    negativeSpans,
    positiveBuckets: Float64Array.from(sample.positive),
    negativeBuckets: Float64Array.from(sample.negative),
    customValues: Float64Array.from(layout.customValues),
  };
}

/** In a stale marker only time and sum have a meaning. */
function unlessStale(sample: TwinSample): unknown {
  return isStaleNaN(sample.sum) ? { timeMs: sample.timeMs, stale: true } : sample;
}
