import assert from 'node:assert/strict';
import { createKernels } from '../../../lib/kernels/index.ts';
import { bucketBound, bucketIndexes, CUSTOM_BUCKETS_SCHEMA, type FloatHistogram } from '../../../lib/model/index.ts';

const histogram = (schema: number, customValues: readonly number[] = []): FloatHistogram => ({
  counterResetHint: 'unknown',
  schema,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 0,
  sum: 0,
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: new Float64Array(),
  negativeBuckets: new Float64Array(),
  customValues: Float64Array.from(customValues),
});

/** Schema, first and last index, CRC-32C of all bounds between as Prometheus 3.15's getBoundExponential gives them. */
const FINGERPRINTS = [
  [-4, -68, 64, 3913305481],
  [-1, -540, 513, 1309144423],
  [0, -1080, 1026, 4024742977],
  [1, -2160, 2052, 3017514382],
  [3, -8640, 8208, 2517908981],
  [5, -34560, 32832, 3973567341],
  [8, -276480, 262656, 1056109833],
] as const;

describe('bucket bounds of native histograms', () => {
  for (const [schema, first, last, expected] of FINGERPRINTS) {
    it(`are those of Prometheus to the last bit for schema ${schema}`, () => {
      const { arena, wasm } = createKernels();
      const count = last - first + 1;
      const address = arena.allocate(count * 8);
      for (let i = 0; i < count; i++) arena.f64[address / 8 + i] = bucketBound(histogram(schema), first + i);
      assert.equal(wasm.crc32c(0, address, count * 8) >>> 0, expected);
    });
  }

  it('are the listed ones for custom buckets, with infinities around them', () => {
    const custom = histogram(CUSTOM_BUCKETS_SCHEMA, [1, 2.5]);
    assert.deepEqual(
      [-1, 0, 1, 2].map((index) => bucketBound(custom, index)),
      [-Infinity, 1, 2.5, Infinity],
    );
  });

  it('belong to indexes that spans give as distances', () => {
    assert.deepEqual(
      bucketIndexes([
        { offset: -2, length: 2 },
        { offset: 3, length: 0 },
        { offset: 1, length: 1 },
      ]),
      [-2, -1, 4],
    );
  });
});
