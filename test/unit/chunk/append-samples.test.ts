import assert from 'node:assert/strict';
import { appendSamples } from '../../../lib/chunk/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { SampleColumns } from '../../../lib/model/index.ts';

const ROOM = 1_000;

describe('appendSamples', () => {
  const kernels = createKernels();
  const { arena } = kernels;
  const times = arena.allocate(8 * ROOM);
  const values = arena.allocate(8 * ROOM);

  before(() => {
    for (let i = 0; i < ROOM; i++) {
      arena.f64[times / 8 + i] = 15_000 * i;
      arena.f64[values / 8 + i] = i + 0.5;
    }
  });

  /** Columns with room, each in the arena or not. */
  function columns(where: { times: 'arena' | 'heap'; values: 'arena' | 'heap' }): SampleColumns {
    const made = (place: 'arena' | 'heap'): Float64Array => {
      if (place === 'heap') return new Float64Array(ROOM);
      const address = arena.allocate(8 * ROOM);
      return new Float64Array(arena.memory.buffer, address, ROOM);
    };
    return Object.assign(new SampleColumns(), { timestamps: made(where.times), values: made(where.values) });
  }

  for (const count of [0, 1, 64, 65, 400]) {
    for (const timesIn of ['arena', 'heap'] as const) {
      for (const valuesIn of ['arena', 'heap'] as const) {
        it(`copies ${count} samples behind others, times to the ${timesIn}, values to the ${valuesIn}`, () => {
          const into = columns({ times: timesIn, values: valuesIn });
          appendSamples(kernels, times, values, 7, into);
          appendSamples(kernels, times + 8 * 100, values + 8 * 100, count, into);
          const expected = [0, 1, 2, 3, 4, 5, 6, ...Array.from({ length: count }, (_, i) => 100 + i)];
          assert.equal(into.length, expected.length);
          const { timestamps, values: found } = into;
          assert.deepEqual(
            Array.from(timestamps.subarray(0, into.length)),
            expected.map((i) => 15_000 * i),
          );
          assert.deepEqual(
            Array.from(found.subarray(0, into.length)),
            expected.map((i) => i + 0.5),
          );
          assert.equal(found[into.length], 0);
        });
      }
    }
  }
});
