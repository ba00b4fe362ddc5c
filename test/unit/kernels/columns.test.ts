import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { addSumsTwin, lookUpTwin, type TwinColumn } from '../../../lib/kernels/twins/columns.ts';
import { STALE_NAN } from '../../../lib/model/index.ts';

const { arena, wasm } = createKernels();

function floats(from: ArrayLike<number>): Float64Array {
  const view = new Float64Array(arena.memory.buffer, arena.allocate(8 * from.length), from.length);
  view.set(from);
  return view;
}

function flags(count: number): Uint8Array {
  return new Uint8Array(arena.memory.buffer, arena.allocate(count), count).fill(0);
}

describe('Kernels over columns of steps', () => {
  it('look up what the twin finds, of even series and others, with stale markers and without', () => {
    const random = seededRandom(5);
    let found = 0;
    for (let round = 0; round < 500; round++) {
      const length = 1 + Math.floor(random() * 50);
      const isEven = random() < 0.5;
      let timeMs = Math.floor(random() * 40_000);
      const times = Array.from({ length }, () => (timeMs += isEven ? 5_000 : 1 + Math.floor(random() * 9_000)));
      const staleness = random() < 0.5 ? 0 : 0.1;
      const values = times.map(() => (random() < staleness ? STALE_NAN : random() < 0.05 ? NaN : random()));
      const stepMs = [0, 5_000, 10_000, 7_000][round % 4]!;
      const lookbackMs = 1 + Math.floor(random() * 30_000);
      const firstMs = Math.floor(random() * 100_000);
      const steps = Array.from({ length: 40 }, (_, i) => firstMs + i * stepMs);
      const results = floats(new Float64Array(40));
      const present = flags(40);
      const valueColumn = floats(values);
      const count = wasm.lookUp(
        floats(times).byteOffset,
        valueColumn.byteOffset,
        length,
        firstMs,
        stepMs,
        lookbackMs,
        0,
        40,
        results.byteOffset,
        present.byteOffset,
      );
      const expected = lookUpTwin(times, values, steps, lookbackMs);
      assert.deepEqual(
        Array.from(results, (value, i) => (present[i] === 1 ? value : undefined)),
        expected,
      );
      assert.equal(count, expected.filter((value) => value !== undefined).length);
      found += count;
    }
    assert.ok(found > 5_000, `${found} found`);
  });

  it('see a stale marker wherever it is, and take no other NaN for one', () => {
    for (const length of [1, 2, 7, 8]) {
      const column = floats(new Float64Array(length).fill(NaN));
      assert.equal(wasm.hasStaleMarkers(column.byteOffset, length), 0);
      for (let i = 0; i < length; i++) {
        column[i] = STALE_NAN;
        assert.equal(wasm.hasStaleMarkers(column.byteOffset, length), 1);
        column[i] = 1;
      }
    }
  });

  it('add up as the twin does, to the last bit', () => {
    const random = seededRandom(6);
    for (let round = 0; round < 200; round++) {
      const count = 1 + Math.floor(random() * 40);
      const density = [1, 1, 0.5, 0.02][round % 4]!;
      const columns: TwinColumn[] = Array.from({ length: 5 }, () =>
        Array.from({ length: count }, () => {
          if (random() >= density) return undefined;
          const odd = random();
          return odd < 0.01
            ? Infinity
            : odd < 0.02
              ? NaN
              : odd < 0.03
                ? -1.7e308
                : (random() - 0.5) * 10 ** (random() * 20);
        }),
      );
      const sums = floats(new Float64Array(count));
      const compensations = floats(new Float64Array(count));
      const there = flags(count);
      const counts = floats(new Float64Array(count));
      for (const column of columns) {
        const values = floats(column.map((value) => value ?? 99));
        const present = flags(count);
        present.set(column.map((value) => Number(value !== undefined)));
        wasm.addSums(
          values.byteOffset,
          present.byteOffset,
          count,
          sums.byteOffset,
          compensations.byteOffset,
          there.byteOffset,
        );
        wasm.addCounts(present.byteOffset, count, counts.byteOffset);
      }
      for (let step = 0; step < count; step++) {
        const seen = columns.filter((column) => column[step] !== undefined).length;
        assert.equal(counts[step], seen);
        assert.equal(there[step], Number(seen > 0));
        const expected = addSumsTwin(columns, step);
        assert.ok(Object.is(sums[step], expected.sum) && Object.is(compensations[step], expected.compensation));
      }
    }
  });
});
