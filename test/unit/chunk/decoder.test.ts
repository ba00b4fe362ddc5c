import assert from 'node:assert/strict';
import { createKernels } from '../../../lib/kernels/index.ts';
import { encodeHistogramsTwin, type TwinLayout, type TwinSample } from '../../../lib/kernels/twins/histogram.ts';
import { isStaleNaN, SampleColumns, STALE_NAN } from '../../../lib/model/index.ts';
import { Encoding, sampleCount } from '../../../lib/chunk/chunk.ts';
import { ChunkDecoder } from '../../../lib/chunk/decoder.ts';
import { encodeSamples } from '../../../lib/chunk/encode.ts';

const LAYOUT: TwinLayout = {
  encoding: Encoding.histogram,
  header: 0,
  schema: 2,
  zeroThreshold: 0.001,
  positiveSpans: [{ offset: -3, length: 8 }],
  negativeSpans: [{ offset: 1, length: 1 }],
  customValues: [],
};

/** Sample i is at i × 1000 ms. */
function samples(count: number): TwinSample[] {
  return Array.from({ length: count }, (_, i) => ({
    timeMs: i * 1000,
    count: 100 + i,
    zeroCount: i,
    sum: i / 2,
    positive: Array.from({ length: 8 }, (__, j) => i + j),
    negative: [i],
  }));
}

describe('tsdb: the chunk decoder', () => {
  const kernels = createKernels();
  const { arena } = kernels;
  const decoder = new ChunkDecoder(kernels);

  function decode(encoding: Encoding, bytes: Uint8Array, minMs = -Infinity, maxMs = Infinity): SampleColumns {
    const columns = new SampleColumns();
    columns.push(-1, 7);
    decoder.decode(encoding, bytes, minMs, maxMs, columns);
    assert.equal(columns.values[0], 7);
    return columns;
  }

  function timesOf({ timestamps, length }: SampleColumns): number[] {
    return [...timestamps.subarray(1, length)];
  }

  function floats(count: number): Uint8Array {
    const columns = new SampleColumns();
    for (let i = 0; i < count; i++) columns.push(i * 1000, i);
    return encodeSamples(kernels, columns, 0, count)[0]!.bytes;
  }

  it('appends what lies in the range, both ends included', () => {
    const histograms = encodeHistogramsTwin(LAYOUT, samples(10));
    for (const [encoding, bytes] of [
      [Encoding.xor, floats(10)],
      [Encoding.histogram, histograms],
    ] as const) {
      assert.deepEqual(timesOf(decode(encoding, bytes, 2000, 4000)), [2000, 3000, 4000]);
      assert.deepEqual(timesOf(decode(encoding, bytes, 1999, 1999.5)), []);
      assert.deepEqual(timesOf(decode(encoding, bytes, 8500, Infinity)), [9000]);
      assert.deepEqual(timesOf(decode(encoding, bytes, 10_000, Infinity)), []);
      assert.deepEqual(timesOf(decode(encoding, bytes, -Infinity, -1)), []);
    }
  });

  it('tells the hint of a sample by its place in the chunk, not in the range', () => {
    const hints = (header: number, minMs: number): string[] => {
      const { histograms } = decode(Encoding.histogram, encodeHistogramsTwin({ ...LAYOUT, header }, samples(3)), minMs);
      return histograms!.slice(1).map((histogram) => histogram!.counterResetHint);
    };
    for (const header of [0, 0x40, 0x80]) {
      assert.deepEqual(hints(header, 0), ['unknown', 'not_reset', 'not_reset']);
      assert.deepEqual(hints(header, 1000), ['not_reset', 'not_reset']);
    }
    assert.deepEqual(hints(0xc0, 0), ['gauge', 'gauge', 'gauge']);
  });

  it('reads chunks where they lie in the arena', () => {
    const bytes = floats(100);
    const address = arena.allocate(bytes.length);
    arena.u8.set(bytes, address);
    const view = arena.u8.subarray(address, address + bytes.length);
    assert.deepEqual(timesOf(decode(Encoding.xor, view)), timesOf(decode(Encoding.xor, bytes)));
    // An old view of a memory that has grown since is copied.
    arena.allocate(4 << 20);
    assert.deepEqual(timesOf(decode(Encoding.xor, view)), timesOf(decode(Encoding.xor, bytes)));
  });

  it('shares spans among the samples of a chunk, and among chunks that have the same', () => {
    const bytes = encodeHistogramsTwin(LAYOUT, samples(3));
    const [, first, second] = decode(Encoding.histogram, bytes).histograms!;
    const [, third] = decode(Encoding.histogram, bytes).histograms!;
    assert.equal(first!.positiveSpans, second!.positiveSpans);
    assert.equal(first!.positiveSpans, third!.positiveSpans);
    const other = encodeHistogramsTwin({ ...LAYOUT, positiveSpans: [{ offset: -2, length: 8 }] }, samples(1));
    assert.deepEqual(decode(Encoding.histogram, other).histograms![1]!.positiveSpans, [{ offset: -2, length: 8 }]);
    assert.deepEqual(first!.positiveSpans, LAYOUT.positiveSpans);
  });

  it('makes histograms that later chunks do not change', () => {
    const [, first] = decode(Encoding.histogram, encodeHistogramsTwin(LAYOUT, samples(3))).histograms!;
    const before = structuredClone(first);
    decode(Encoding.floatHistogram, encodeHistogramsTwin({ ...LAYOUT, encoding: 3, schema: 0 }, samples(40)));
    assert.deepEqual(first, before);
  });

  it('reads more samples than it decodes at a time', () => {
    const columns = decode(Encoding.histogram, encodeHistogramsTwin(LAYOUT, samples(3000)));
    assert.equal(columns.length, 3001);
    assert.equal(columns.histograms![3000]!.count, 100 + 2999);
    assert.equal(columns.histograms![3000]!.negativeBuckets[0], 2999);
    assert.equal(columns.histograms![3000]!.counterResetHint, 'not_reset');
  });

  it('makes of a stale marker what Prometheus does: a sum', () => {
    const stale = { ...samples(2)[1]!, count: 0, zeroCount: 0, sum: STALE_NAN, positive: [], negative: [] };
    for (const encoding of [Encoding.histogram, Encoding.floatHistogram]) {
      const bytes = encodeHistogramsTwin({ ...LAYOUT, encoding, header: 0xc0 }, [samples(1)[0]!, stale]);
      const { sum, positiveSpans, counterResetHint, schema, integer } = decode(encoding, bytes).histograms![2]!;
      assert.ok(isStaleNaN(sum));
      assert.deepEqual([positiveSpans, counterResetHint, schema], [[], 'unknown', 0]);
      assert.equal(integer, encoding === Encoding.histogram ? true : undefined);
    }
  });

  it('adds up the buckets of a schema that is finer than is calculated with', () => {
    const layout = { ...LAYOUT, schema: 9, positiveSpans: [{ offset: -3, length: 8 }] };
    const [, histogram] = decode(Encoding.histogram, encodeHistogramsTwin(layout, samples(1))).histograms!;
    assert.equal(histogram!.schema, 8);
    // Buckets -3 to 4 with 0 to 7: two of schema 9 end at one of schema 8.
    assert.deepEqual(histogram!.positiveSpans, [{ offset: -1, length: 4 }]);
    assert.deepEqual([...histogram!.positiveBuckets], [0 + 1, 2 + 3, 4 + 5, 6 + 7]);
    assert.deepEqual(histogram!.negativeSpans, [{ offset: 1, length: 1 }]);
  });

  it('reads a chunk without samples as such', () => {
    for (const encoding of Object.values(Encoding)) {
      assert.equal(decode(encoding, new Uint8Array(4)).length, 1);
    }
  });

  it('counts samples without decoding', () => {
    assert.equal(sampleCount(Encoding.xor, floats(77)), 77);
    assert.equal(sampleCount(Encoding.histogram, Uint8Array.of(0x41, 2, 0)), 0x4102);
    assert.equal(sampleCount(Encoding.histogramSt, Uint8Array.of(0xc1, 2, 0)), 0x0102);
    assert.equal(sampleCount(Encoding.xor, Uint8Array.of(1)), 0);
  });
});
