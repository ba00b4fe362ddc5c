import assert from 'node:assert/strict';
import { type Clock, seededRandom, systemClock } from '../../../../lib/env/index.ts';
import { errorMessage, Labels, STALE_NAN } from '../../../../lib/model/index.ts';
import { Engine, type EngineOptions, type QueryResult } from '../../../../lib/promql/index.ts';
import { MemoryStorage } from '../../../conformance/promqltest/memory-storage.ts';
import { fuzzScrapes } from '../../../conformance/query-fuzz/data.ts';
import { FEATURES } from '../../../conformance/query-fuzz/fuzz.ts';
import { generateQuery } from '../../../conformance/query-fuzz/generator.ts';
import { printNode } from '../../../conformance/query-fuzz/node.ts';
import type { AskedQuery } from '../../../tools/query-twins.ts';
import { divided, localHelp, type PartTally } from '../../../tools/shards.ts';

const STEP_MS = 15_000;
const SHARDS = [2, 7];
/** Of the random generator's queries; set the variable for more. */
const RANDOM_QUERIES = Number(process.env['SHARD_QUERIES'] ?? 150);

/** Who takes which part is as the engines' promises have it, not as the machine's pace has it. */
const STILL: Clock = { ...systemClock, monotonicMs: () => 0 };

/** Answers of one pass and of parts, each as it would be shown, errors too. */
class Twins {
  readonly tally: PartTally = { read: 0, taken: 0 };
  readonly #storage: MemoryStorage;
  readonly #engine: Engine;

  constructor(storage: MemoryStorage, options: EngineOptions = {}) {
    this.#storage = storage;
    this.#engine = new Engine({ clock: STILL, features: FEATURES, ...options });
  }

  whole(asked: AskedQuery): Promise<object> {
    return this.#ask(asked, this.#storage, {});
  }

  parts(asked: AskedQuery, shards: number): Promise<object> {
    const parts = divided(this.#storage, shards, this.tally);
    return this.#ask(asked, parts, { assistants: localHelp(this.#engine, parts, shards - 1, { tally: this.tally }) });
  }

  async assertEqual(asked: AskedQuery, shards: readonly number[] = SHARDS): Promise<void> {
    const whole = await this.whole(asked);
    for (const count of shards) {
      const message = `${asked.query} in ${count} parts`;
      assert.deepEqual(rounded(await this.parts(asked, count)), rounded(whole), message);
    }
  }

  #ask(
    { query, startMs, endMs, stepMs }: AskedQuery,
    storage: MemoryStorage | ReturnType<typeof divided>,
    options: object,
  ): Promise<object> {
    const answer =
      stepMs === 0
        ? this.#engine.instant(storage, query, startMs, options)
        : this.#engine.range(storage, query, startMs, endMs, stepMs, options);
    return answer.then(shown, (error: unknown) => ({ error: errorMessage(error) }));
  }
}

function shown({ value, annotations }: QueryResult): object {
  return { value, warnings: annotations.warnings, infos: annotations.infos };
}

/** With the digits that do not depend on the order of adding. */
function rounded(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? Number(value.toPrecision(12)) : value;
  if (value instanceof Float64Array) return Array.from(value, rounded);
  if (value instanceof Labels) return value.toString();
  if (Array.isArray(value)) return value.map(rounded);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, rounded(one)]));
}

/** Counters and gauges of two metrics with gaps and odd values; many values are equal. */
function gauges(): MemoryStorage {
  const random = seededRandom(11);
  const storage = new MemoryStorage();
  for (let i = 0; i < 90; i++) {
    const name = i % 3 === 0 ? 'a_total' : 'b_total';
    const labels = Labels.of({ __name__: name, x: String(i % 4), y: String(i % 7), i: String(i) });
    let value = i % 5;
    for (let step = 0; step < 40; step++) {
      if (random() < 0.1) continue;
      value += Math.floor(random() * 4) + random() * (i % 2);
      const odd = random();
      const special = odd < 0.01 ? NaN : odd < 0.02 ? -Infinity : odd < 0.03 ? STALE_NAN : value;
      storage.add(labels, step * STEP_MS, special);
    }
  }
  return storage;
}

describe('Aggregations in parts', function () {
  this.timeout(600_000);
  const twins = new Twins(gauges());
  const vectors = [
    'b_total',
    '{__name__=~"a_total|b_total"}',
    'rate({__name__=~".+_total"}[1m])',
    'rate(b_total[1m])',
    'max_over_time(a_total[1m])',
    'max_over_time(rate(b_total[1m])[2m:30s])',
    '-b_total * 2',
    '2 ^ clamp_max(b_total, 7) > bool 3',
    'round(delta(b_total[2m] @ 300))',
  ];
  const operators = ['sum', 'avg', 'count', 'group', 'min', 'max'];

  for (const operator of operators) {
    it(`${operator} as in one pass`, async () => {
      const { read, taken } = twins.tally;
      for (const vector of vectors) {
        for (const grouping of ['', 'by (x)', 'without (i)', 'by (i)']) {
          const query = `${operator} ${grouping} (${vector})`;
          await twins.assertEqual({ query, startMs: 300_000, endMs: 300_000, stepMs: 0 });
          await twins.assertEqual({ query, startMs: 0, endMs: 660_000, stepMs: 20_000 });
        }
      }
      assert.equal(twins.tally.taken - taken, vectors.length * 4 * 2 * (1 + 6));
      // Each part is read once: what others make of it is of use.
      assert.equal(twins.tally.read - read, vectors.length * 4 * 2 * (2 + 7));
    });
  }

  it('choose the same series, in the same order', async () => {
    const { read, taken } = twins.tally;
    for (const vector of vectors) {
      for (const operator of ['topk(3', 'bottomk(2', 'topk(0', 'topk(50', 'bottomk(scalar(vector(1))']) {
        const query = `${operator}, ${vector})`;
        for (const timeMs of [15_000, 300_000])
          await twins.assertEqual({ query, startMs: timeMs, endMs: timeMs, stepMs: 0 }, [3]);
        await twins.assertEqual({ query, startMs: 0, endMs: 660_000, stepMs: 20_000 }, [3]);
      }
    }
    // Each part is read once, whatever values are equal.
    assert.equal(twins.tally.read - read, ((twins.tally.taken - taken) * 3) / 2);
  });

  it('are to the last bit what one pass says where nothing is rounded', async () => {
    for (const query of ['count by (x) (b_total)', 'max(rate(b_total[1m]))', 'sum by (x) (floor(abs(b_total)))']) {
      const asked = { query, startMs: 0, endMs: 600_000, stepMs: 30_000 };
      assert.deepEqual(await twins.parts(asked, 3), await twins.whole(asked));
    }
  });

  it('keep what a sum lost of large values in another part', async () => {
    const storage = new MemoryStorage();
    for (const [i, value] of [1e16, 1, 1, -1e16].entries()) {
      storage.add(Labels.of({ __name__: 'x', i: String(i) }), 0, value);
    }
    const large = new Twins(storage);
    const sums = (await large.parts({ query: 'sum(x)', startMs: 0, endMs: 0, stepMs: 0 }, 4)) as {
      value: { samples: { value: number }[] };
    };
    assert.equal(sums.value.samples[0]!.value, 2);
    assert.equal(large.tally.taken, 3);
  });

  it('take means of values whose sum overflows', async () => {
    const storage = new MemoryStorage();
    for (const [i, value] of [1e308, 1.2e308, -4e307, 1.5e308, 1e308].entries()) {
      storage.add(Labels.of({ __name__: 'x', i: String(i) }), 0, value);
    }
    await new Twins(storage).assertEqual({ query: 'avg(x)', startMs: 0, endMs: 0, stepMs: 0 }, [2, 3, 5]);
  });

  it('are not made of series that become equal without their names', async () => {
    const storage = new MemoryStorage();
    for (let i = 0; i < 16; i++) {
      storage.add(Labels.of({ __name__: 'x', __type__: `t${i % 2}`, i: String(i >> 1) }), 0, i);
      storage.add(Labels.of({ __name__: 'y', i: String(i) }), (i % 2) * 300_000, i);
      storage.add(Labels.of({ __name__: 'z', z: String(i) }), 0, i);
    }
    const named = new Twins(storage);
    const vectors = ['abs(x)', 'max_over_time(x[1m])', '-{i=~".+"}', 'sum_over_time({__name__=~"x|y"}[1m])'];
    for (const query of [...vectors, 'abs({__name__=~".+", i=""})', 'rate({__name__=~".+"}[5m])']) {
      await named.assertEqual({ query: `sum(${query})`, startMs: 0, endMs: 0, stepMs: 0 });
      await named.assertEqual({ query: `count by (i) (${query})`, startMs: 0, endMs: 600_000, stepMs: 60_000 });
    }
    assert.equal(named.tally.taken, (vectors.length + 2) * 2 * (1 + 6));
  });

  it('count the samples that all have read', async () => {
    const storage = gauges();
    const engine = new Engine({ clock: STILL });
    const { loadedSamples } = await engine.instant(storage, 'sum(rate(b_total[5m]))', 300_000);
    const parts = divided(storage, 4);
    const options = { assistants: localHelp(engine, parts, 3) };
    const found = await engine.instant(parts, 'sum(rate(b_total[5m]))', 300_000, options);
    assert.ok(loadedSamples > 0);
    assert.equal(found.loadedSamples, loadedSamples);
  });

  it('fail as one pass does', async () => {
    // 60 series of 121 steps are 7,260 samples.
    for (const maxSamples of [1_000, 4_000, 7_000, 8_000]) {
      const few = new Twins(gauges(), { maxSamples });
      for (const query of ['sum by (i) (b_total)', 'sum(b_total)', 'sum(-b_total)']) {
        await few.assertEqual({ query, startMs: 0, endMs: 600_000, stepMs: 5_000 });
      }
    }
  });

  it('take the memory they need, though others have to go', async () => {
    const query = 'sum by (i) (-b_total)';
    const asked = { query, startMs: 0, endMs: 600_000, stepMs: 5_000 };
    const errors: boolean[] = [];
    for (let maxBytes = 50_000; maxBytes < 500_000; maxBytes += 10_000) {
      const small = new Twins(gauges(), { maxBytes });
      const whole = await small.whole(asked);
      errors.push('error' in whole);
      // What is held of parts may come to a little more; with room for that, it is as in one pass.
      const parts = await small.parts(asked, 2);
      if ('error' in whole) assert.deepEqual(parts, whole);
      else if (!('error' in parts)) assert.deepEqual(rounded(parts), rounded(whole));
    }
    assert.ok(errors.includes(true) && errors.includes(false), errors.join());
  });

  it('of random queries as in one pass', async () => {
    const storage = new MemoryStorage();
    for (const commit of fuzzScrapes()) {
      for (const { labels, samples = [], histograms = [] } of commit) {
        for (const [timeMs, value] of samples) storage.add(labels, timeMs, value);
        for (const [timeMs, histogram] of histograms) storage.add(labels, timeMs, NaN, histogram);
      }
    }
    const random = new Twins(storage);
    for (let seed = 1; seed <= RANDOM_QUERIES; seed++) {
      const { node, times } = generateQuery(seed);
      await random.assertEqual({ query: printNode(node), ...times });
    }
    assert.ok(random.tally.taken > RANDOM_QUERIES, `${random.tally.taken} parts`);
  });
});
