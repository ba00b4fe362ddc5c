import assert from 'node:assert/strict';
import { createKernels } from '../../../lib/kernels/index.ts';
import { type FloatHistogram, SampleColumns } from '../../../lib/model/index.ts';
import { type Chunk, Encoding, sampleCount } from '../../../lib/chunk/chunk.ts';
import { encodeSamples } from '../../../lib/chunk/encode.ts';

const HISTOGRAM: FloatHistogram = {
  counterResetHint: 'not_reset',
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 5,
  sum: 1,
  positiveSpans: [{ offset: 0, length: 1 }],
  negativeSpans: [],
  positiveBuckets: Float64Array.of(5),
  negativeBuckets: new Float64Array(0),
  customValues: new Float64Array(0),
};

describe('tsdb: encoding samples as chunks', () => {
  const kernels = createKernels();

  /** A second apart; numbers are floats. */
  function encode(values: readonly (number | FloatHistogram)[], from = 0, to = values.length): Chunk[] {
    const columns = new SampleColumns();
    values.forEach((value, i) => {
      if (typeof value === 'number') columns.push(i * 1000, value);
      else columns.pushHistogram(i * 1000, value);
    });
    return encodeSamples(kernels, columns, from, to);
  }

  function shape(chunks: readonly Chunk[]): [encoding: Encoding, samples: number, minMs: number, maxMs: number][] {
    return chunks.map(({ encoding, bytes, minTimeMs, maxTimeMs }) => [
      encoding,
      sampleCount(encoding, bytes),
      minTimeMs,
      maxTimeMs,
    ]);
  }

  it('cuts after 120 samples', () => {
    assert.deepEqual(shape(encode(repeated(1, 250))), [
      [Encoding.xor, 120, 0, 119_000],
      [Encoding.xor, 120, 120_000, 239_000],
      [Encoding.xor, 10, 240_000, 249_000],
    ]);
    const histograms = encode(repeated(HISTOGRAM, 241));
    assert.deepEqual(shape(histograms), [
      [Encoding.floatHistogram, 120, 0, 119_000],
      [Encoding.floatHistogram, 120, 120_000, 239_000],
      [Encoding.floatHistogram, 1, 240_000, 240_000],
    ]);
  });

  it('says nothing of resets in the header of a chunk behind a full one', () => {
    const histograms = [...repeated(HISTOGRAM, 120), { ...HISTOGRAM, count: 1 }];
    assert.deepEqual(
      encode(histograms).map(({ bytes }) => bytes[2]),
      [0, 0],
    );
  });

  it('cuts where the kind of samples changes, and where histograms reset', () => {
    const integer: FloatHistogram = { ...HISTOGRAM, integer: true };
    const reset = { ...integer, count: 4, positiveBuckets: Float64Array.of(4) };
    const chunks = encode([1, 2, integer, integer, reset, HISTOGRAM, 3]);
    assert.deepEqual(shape(chunks), [
      [Encoding.xor, 2, 0, 1000],
      [Encoding.histogram, 2, 2000, 3000],
      [Encoding.histogram, 1, 4000, 4000],
      [Encoding.floatHistogram, 1, 5000, 5000],
      [Encoding.xor, 1, 6000, 6000],
    ]);
    assert.equal(chunks[2]!.bytes[2], 0x80);
  });

  it('writes the example of the README', () => {
    const example = (count: number, last: number): FloatHistogram => ({
      ...HISTOGRAM,
      integer: true,
      schema: 3,
      zeroThreshold: 2 ** -128,
      count,
      sum: 1.5,
      positiveSpans: [{ offset: -1, length: 2 }],
      positiveBuckets: Float64Array.of(1, last),
    });
    const [chunk] = encode([0, example(3, 2), example(4, 3)], 1);
    assert.equal(Buffer.from(chunk!.bytes).toString('hex'), '000200749c65778fa263ff80000000000008c7c7d11110');
  });

  it('encodes a part', () => {
    assert.deepEqual(shape(encode([1, 2, HISTOGRAM, HISTOGRAM, 3], 1, 3)), [
      [Encoding.xor, 1, 1000, 1000],
      [Encoding.floatHistogram, 1, 2000, 2000],
    ]);
    assert.deepEqual(encode([1, 2], 1, 1), []);
  });

  it('gives its memory back', () => {
    const { usedBytes } = kernels.arena;
    encode([1, HISTOGRAM, { ...HISTOGRAM, count: 1 }, 2]);
    assert.equal(kernels.arena.usedBytes, usedBytes);
  });
});

function repeated<Value>(value: Value, count: number): Value[] {
  return Array.from({ length: count }, () => value);
}
