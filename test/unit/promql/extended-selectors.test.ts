import assert from 'node:assert/strict';
import { Labels, STALE_NAN } from '../../../lib/model/index.ts';
import { Engine } from '../../../lib/promql/index.ts';
import { MemoryStorage } from '../../conformance/promqltest/memory-storage.ts';

const LABELS = Labels.of({ __name__: 'c_total' });

function engineWith(lookbackDeltaMs: number): Engine {
  return new Engine({ features: { extendedRangeSelectors: true }, lookbackDeltaMs });
}

/** A counter at irregular times, with resets, holes longer than the lookback delta, and stale markers. */
function irregularCounter(seed: number): MemoryStorage {
  const storage = new MemoryStorage();
  let state = seed;
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  let timeMs = 0;
  let value = 100;
  for (let i = 0; i < 300; i++) {
    timeMs += random() < 0.05 ? 90_000 : 1 + Math.floor(random() * 12_000);
    value = random() < 0.1 ? Math.floor(random() * 5) : value + Math.floor(random() * 20);
    storage.add(LABELS, timeMs, random() < 0.05 ? STALE_NAN : value);
  }
  return storage;
}

async function instantValue(engine: Engine, storage: MemoryStorage, query: string, timeMs: number): Promise<number[]> {
  const { value } = await engine.instant(storage, query, timeMs);
  assert.ok(value.type === 'vector');
  return value.samples.map((sample) => sample.value);
}

describe('Anchored and smoothed selectors', function () {
  this.timeout(600_000);
  it('slide over a range as they stand at each of its steps', async () => {
    const engine = engineWith(40_000);
    const queries = ['rate', 'increase', 'delta'].flatMap((name) => [
      `${name}(c_total[45s] anchored)`,
      `${name}(c_total[45s] smoothed)`,
    ]);
    queries.push('changes(c_total[45s] anchored)', 'resets(c_total[45s] anchored)', 'c_total smoothed');
    for (const seed of [1, 7, 42]) {
      const storage = irregularCounter(seed);
      for (const query of queries) {
        const { value } = await engine.range(storage, query, 0, 3_600_000, 7_000);
        assert.ok(value.type === 'matrix');
        const [series] = value.series;
        const found = new Map(Array.from(series!.timestamps, (timeMs, i) => [timeMs, series!.values[i]!]));
        assert.ok(found.size > 100 && found.size <= 515, `${query} has ${found.size} steps`);
        for (let timeMs = 0; timeMs <= 3_600_000; timeMs += 7_000) {
          const alone = await instantValue(engine, storage, query, timeMs);
          const expected = found.get(timeMs);
          assert.deepEqual(alone, expected === undefined ? [] : [expected], `${query} at ${timeMs}, seed ${seed}`);
        }
      }
    }
  });

  it('count every increase once when anchored windows follow each other', async () => {
    const storage = new MemoryStorage();
    const increments = [3, 0, 10, 4, 4, 1, 0, 25];
    let value = 0;
    for (const [i, increment] of increments.entries()) storage.add(LABELS, i * 20_000, (value += increment));
    const engine = engineWith(300_000);
    let sum = 0;
    for (let timeMs = 35_000; timeMs <= 170_000; timeMs += 35_000) {
      const [increase = 0] = await instantValue(engine, storage, 'increase(c_total[35s] anchored)', timeMs);
      sum += increase;
    }
    assert.equal(sum, value - increments[0]!);
  });

  it('show the ends of the window as samples', async () => {
    const storage = new MemoryStorage();
    for (const [timeMs, value] of [
      [0, 0],
      [10_000, 10],
      [20_000, 40],
    ] as const) {
      storage.add(LABELS, timeMs, value);
    }
    const engine = engineWith(300_000);
    for (const [extension, expected] of [
      ['anchored', [0, 10, 10]],
      ['smoothed', [5, 10, 25]],
    ] as const) {
      const { value } = await engine.instant(storage, `c_total[10s] ${extension}`, 15_000);
      assert.ok(value.type === 'matrix');
      assert.deepEqual([...value.series[0]!.timestamps], [5_000, 10_000, 15_000]);
      assert.deepEqual([...value.series[0]!.values], expected);
    }
  });

  it('are refused by functions that do not expect samples outside of the window', async () => {
    const engine = engineWith(300_000);
    await assert.rejects(engine.instant(new MemoryStorage(), 'max_over_time(c_total[1m] anchored)', 0), {
      code: 'promql/execution',
      message:
        'anchored modifier can only be used with: changes, delta, increase, rate, resets - not with max_over_time',
    });
    await assert.rejects(engine.instant(new MemoryStorage(), 'resets(c_total[1m] smoothed)', 0), {
      code: 'promql/execution',
      message: 'smoothed modifier can only be used with: delta, increase, rate - not with resets',
    });
  });
});
