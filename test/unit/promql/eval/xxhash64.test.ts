import assert from 'node:assert/strict';
import { Labels } from '../../../../lib/model/index.ts';
import { labelHashFraction } from '../../../../lib/promql/eval/label-hash.ts';
import { xxhash64Fraction } from '../../../../lib/promql/eval/xxhash64.ts';

const MASK = 2n ** 64n - 1n;
const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

const rotated = (word: bigint, bits: bigint): bigint => ((word << bits) | (word >> (64n - bits))) & MASK;
const round = (accumulator: bigint, word: bigint): bigint =>
  (rotated((accumulator + word * P2) & MASK, 31n) * P1) & MASK;

/** XXH64 of seed 0, with BigInt and straight from the specification. */
function xxhash64(bytes: Buffer): bigint {
  let at = 0;
  let hash = P5;
  if (bytes.length >= 32) {
    const lanes = [(P1 + P2) & MASK, P2, 0n, -P1 & MASK];
    for (; at + 32 <= bytes.length; at += 32) {
      for (let i = 0; i < 4; i++) lanes[i] = round(lanes[i]!, bytes.readBigUInt64LE(at + 8 * i));
    }
    hash = [1n, 7n, 12n, 18n].reduce((sum, bits, i) => sum + rotated(lanes[i]!, bits), 0n) & MASK;
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotated(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * P1 + P4) & MASK;
  }
  if (at + 4 <= bytes.length) {
    hash = (rotated(hash ^ ((BigInt(bytes.readUInt32LE(at)) * P1) & MASK), 23n) * P2 + P3) & MASK;
    at += 4;
  }
  for (; at < bytes.length; at++) hash = (rotated(hash ^ ((BigInt(bytes[at]!) * P5) & MASK), 11n) * P1) & MASK;
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK;
  return hash ^ (hash >> 32n);
}

const fraction = (hash: bigint): number => Number(hash) / 2 ** 64;

describe('XXH64', () => {
  it('is what the specification says, for every length up to a few stripes', () => {
    let state = 1;
    for (let length = 0; length <= 200; length++) {
      const bytes = Buffer.from(Array.from({ length }, () => (state = (state * 48_271) % 2_147_483_647) & 255));
      assert.equal(xxhash64Fraction(bytes, length), fraction(xxhash64(bytes)), `${length} bytes`);
    }
  });

  it('has the known hashes of short texts', () => {
    assert.equal(xxhash64(Buffer.from('abc')), 0x44bc2cf5ad770999n);
    assert.equal(xxhash64Fraction(Buffer.from('abc'), 3), fraction(0x44bc2cf5ad770999n));
    assert.equal(xxhash64Fraction(Buffer.from('abcdef'), 3), fraction(0x44bc2cf5ad770999n));
  });
});

describe('The hash of labels', () => {
  // Printed by `labels.FromMap(…).Hash()` of Prometheus 3.15, built without tags.
  const KNOWN: readonly (readonly [Record<string, string>, bigint])[] = [
    [{}, 0xef46db3751d8e999n],
    [{ __name__: 'up', job: 'x' }, 0x886cd16ff9859d82n],
    [{ name: 'ü€😀' }, 0x3e8b86ffeb978d66n],
    [{ long: 'x'.repeat(254) }, 0x06352ebdbfeef71bn],
    [{ long: 'y'.repeat(255) }, 0x3fb84d3c69913ccbn],
    [{ long: 'z'.repeat(70_000) }, 0xb39da6ee45d13aban],
  ];

  it("is that of Prometheus's own", () => {
    for (const [labels, hash] of KNOWN) assert.equal(labelHashFraction(Labels.of(labels)), fraction(hash));
  });
});
