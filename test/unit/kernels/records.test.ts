import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { encodeSamplesTwin, type RecordSample } from '../../../lib/kernels/twins/records.ts';

describe('kernels: samples records of the log', () => {
  const { arena, wasm } = createKernels();
  const CAPACITY = 300;
  const refs = arena.allocate(CAPACITY * 4);
  const times = arena.allocate(CAPACITY * 8);
  const values = arena.allocate(CAPACITY * 8);
  const record = arena.allocate(CAPACITY * 40);
  const random = seededRandom(4);

  const decode = (bytes: Uint8Array): number => {
    arena.u8.set(bytes, record);
    return wasm.decodeSamples(record, bytes.length, refs, times, values, CAPACITY);
  };

  function some(count: number): RecordSample[] {
    return Array.from({ length: count }, () => ({
      ref: 1 + Math.floor(2 ** (random() * 32) - 1),
      timeMs: Math.floor(2 ** (random() * 45)) - 1_000_000,
      value: random() < 0.5 ? Math.floor(random() * 100) : random() * 1e300,
      startMs: random() < 0.4 ? 0 : 1_000 * Math.floor(random() * 3),
    }));
  }

  for (const version of [1, 2] as const) {
    it(`reads what the twin writes, version ${version}, and takes no truncation of it for more than it is`, () => {
      for (const count of [0, 1, 2, 30, 300]) {
        const samples = some(count);
        const bytes = encodeSamplesTwin(samples, version);
        assert.equal(decode(bytes), count);
        samples.forEach(({ ref, timeMs, value }, i) => {
          assert.equal(arena.u32[(refs >>> 2) + i], ref);
          assert.equal(arena.f64[times / 8 + i], timeMs);
          assert.equal(arena.f64[values / 8 + i], value);
        });
        for (let length = 0; length < Math.min(bytes.length, 500); length++) {
          const decoded = decode(bytes.subarray(0, length));
          assert.ok(decoded < count || count === 0, `${length} of ${bytes.length}`);
        }
      }
    });
  }

  it('writes the twin’s bytes', () => {
    for (const count of [0, 1, 2, 30, 300]) {
      const samples = some(count);
      samples.forEach(({ ref, timeMs, value }, i) => {
        arena.u32[(refs >>> 2) + i] = ref;
        arena.f64[times / 8 + i] = timeMs;
        arena.f64[values / 8 + i] = value;
      });
      const length = wasm.encodeSamples(refs, times, values, count, record);
      assert.deepEqual(arena.u8.slice(record, record + length), encodeSamplesTwin(samples, 1));
    }
  });

  it('refuses refs that are 0 or beyond 32 bits, other record types, and more samples than there is room for', () => {
    assert.equal(decode(encodeSamplesTwin([{ ref: 0, timeMs: 1, value: 1 }], 1)), -2);
    assert.equal(decode(encodeSamplesTwin([{ ref: 2 ** 32, timeMs: 1, value: 1 }], 1)), -2);
    assert.equal(decode(Uint8Array.of(7, 0, 0)), -1);
    assert.equal(decode(new Uint8Array(0)), -1);
    assert.equal(decode(encodeSamplesTwin(some(CAPACITY + 1), 1)), -1);
  });
});
