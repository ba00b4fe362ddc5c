import { deepEqual, ok } from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { type FloatHistogram, SampleColumns } from '../../../../lib/model/index.ts';
import { sampleCount } from '../../../../lib/chunk/chunk.ts';
import { ChunkDecoder } from '../../../../lib/chunk/decoder.ts';
import { encodeSamples } from '../../../../lib/chunk/encode.ts';
import { kernels } from './merge-harness.ts';

const decoder = new ChunkDecoder(kernels);

/** Samples of floats whose values come from `value`. */
function floats(count: number, value: (i: number) => number): SampleColumns {
  const columns = new SampleColumns();
  for (let i = 0; i < count; i++) columns.push(i * 1000, value(i));
  return columns;
}

function decoded(chunks: readonly { encoding: 1 | 2 | 3 | 4 | 5 | 6; bytes: Uint8Array }[]): SampleColumns {
  const columns = new SampleColumns();
  for (const { encoding, bytes } of chunks) decoder.decode(encoding, bytes, -Infinity, Infinity, columns);
  return columns;
}

describe('chunks cut by size', () => {
  const random = seededRandom(5);
  const cases = {
    'random values': floats(2_000, () => random()),
    'a value that does not change': floats(12_000, () => 7),
    'values that change now and then': floats(9_000, (i) => (i % 50 === 0 ? random() : 1)),
    'one sample': floats(1, () => 1),
  };
  for (const [name, columns] of Object.entries(cases)) {
    it(`end with the sample that makes them full: ${name}`, () => {
      const chunks = encodeSamples(kernels, columns, 0, columns.length, 'by size');
      let at = 0;
      for (const [i, { encoding, bytes }] of chunks.entries()) {
        const count = sampleCount(encoding, bytes);
        if (i < chunks.length - 1) {
          const [before] = encodeSamples(kernels, columns, at, at + count - 1, count);
          ok(
            bytes.length > 1005 && before!.bytes.length <= 1005,
            `chunk ${i}: ${before!.bytes.length}, ${bytes.length}`,
          );
        } else ok(bytes.length <= 1005 + 19);
        at += count;
      }
      const back = decoded(chunks);
      deepEqual(back.timestamps.subarray(0, back.length), columns.timestamps.subarray(0, columns.length));
      deepEqual(back.values.subarray(0, back.length), columns.values.subarray(0, columns.length));
    });
  }

  it('hold more than ten histograms, however large', () => {
    const columns = new SampleColumns();
    for (let i = 0; i < 40; i++) columns.pushHistogram(i * 1000, histogram(200, random));
    const chunks = encodeSamples(kernels, columns, 0, columns.length, 'by size');
    deepEqual(
      chunks.map(({ encoding, bytes }) => sampleCount(encoding, bytes)),
      [11, 11, 11, 7],
    );
  });
});

/** Of floats, so that each bucket takes bytes. */
function histogram(buckets: number, random: () => number): FloatHistogram {
  const none = new Float64Array(0);
  const positiveBuckets = Float64Array.from({ length: buckets }, () => random());
  return {
    counterResetHint: 'gauge',
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count: positiveBuckets.reduce((sum, count) => sum + count, 0),
    sum: 1,
    positiveSpans: [{ offset: 0, length: buckets }],
    negativeSpans: [],
    positiveBuckets,
    negativeBuckets: none,
    customValues: none,
  };
}
