import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import { Labels, STALE_NAN } from '../../../lib/model/index.ts';
import { Engine } from '../../../lib/promql/index.ts';
import { MemoryStorage } from '../../conformance/promqltest/memory-storage.ts';
import { HISTOGRAM, rounded } from './rounded.ts';
import { open, START_MS, temporaryDirectory, write } from '../tsdb/harness.ts';

const STEP_MS = 15_000;

/** Gauges and counters with gaps and stale markers, NaN and infinities, equal values. */
function storage(): MemoryStorage {
  const random = seededRandom(7);
  const out = new MemoryStorage();
  for (let i = 0; i < 60; i++) {
    const labels = Labels.of({
      __name__: i % 3 === 0 ? 'a_total' : 'b_total',
      x: String(i % 4),
      y: String(i % 7),
      i: `${i}`,
    });
    let value = 0;
    for (let s = 0; s < 60; s++) {
      if (random() < 0.1) continue;
      value = random() < 0.05 ? 0 : value + Math.floor(random() * 4);
      const odd = random();
      const special = odd < 0.01 ? NaN : odd < 0.02 ? Infinity : odd < 0.03 ? STALE_NAN : value;
      out.add(labels, s * STEP_MS, special);
    }
  }
  return out;
}

describe('Aggregations that take series as they are read', function () {
  this.timeout(600_000);
  const engine = new Engine();
  const data = storage();
  const operators = ['sum', 'avg', 'count', 'group', 'min', 'max', 'stddev', 'stdvar', 'topk(3', 'bottomk(2'];
  const vectors = [
    'b_total',
    'rate(b_total[1m])',
    'delta(b_total[2m])',
    'max_over_time(a_total[1m])',
    '{__name__="a_total"}',
  ];

  for (const operator of operators) {
    for (const vector of vectors) {
      it(`${operator.replace('(', ' ')} of ${vector} as of the whole vector`, async () => {
        for (const grouping of ['', 'by (x)', 'by (x, none)', 'without (i)']) {
          const query = (inner: string): string =>
            operator.includes('(')
              ? `${operator.split('(')[0]!} ${grouping} (${operator.split('(')[1]!}, ${inner})`
              : `${operator} ${grouping} (${inner})`;
          // What an operator yields is aggregated as a whole.
          const whole = `${vector} or ${vector}`;
          for (const timeMs of [0, 123_456, 600_000]) {
            const found = await engine.instant(data, query(vector), timeMs);
            assert.deepEqual(rounded(found), rounded(await engine.instant(data, query(whole), timeMs)));
          }
          const found = await engine.range(data, query(vector), 0, 1_200_000, 20_000);
          assert.deepEqual(rounded(found), rounded(await engine.range(data, query(whole), 0, 1_200_000, 20_000)));
          assert.ok(found.value.type === 'matrix' && found.value.series.length > 0);
        }
      });
    }
  }

  it('sees histograms behind floats, at the same steps and at others', async () => {
    const mixed = new MemoryStorage();
    mixed.add(Labels.of({ __name__: 'm', i: '0' }), 0, 1);
    mixed.add(Labels.of({ __name__: 'm', i: '0' }), 400_000, 2);
    mixed.add(Labels.of({ __name__: 'm', i: '1' }), 400_000, NaN, HISTOGRAM);
    mixed.add(Labels.of({ __name__: 'm', i: '2' }), 800_000, NaN, HISTOGRAM);
    for (const operator of ['sum', 'avg', 'count', 'min', 'stddev']) {
      const found = await engine.range(mixed, `${operator}(m)`, 0, 1_000_000, 100_000);
      const whole = await engine.range(mixed, `${operator}(m or m)`, 0, 1_000_000, 100_000);
      assert.deepEqual(rounded(found), rounded(whole), operator);
      assert.ok(operator === 'count' || found.annotations.warnings.length + found.annotations.infos.length > 0);
    }
  });

  it('refuses series that become equal when they lose their names, and takes those that do not', async () => {
    const named = new MemoryStorage();
    for (const name of ['a', 'b']) {
      for (let s = 0; s < 10; s++) named.add(Labels.of({ __name__: name, i: '0' }), s * STEP_MS, s);
    }
    for (let s = 0; s < 10; s++) named.add(Labels.of({ __name__: 'b', i: '1' }), s * STEP_MS, s);
    await assert.rejects(engine.instant(named, 'sum(rate({__name__=~"a|b"}[1m]))', 100_000), {
      message: 'vector cannot contain metrics with the same labelset',
    });
    const { value } = await engine.instant(named, 'count(rate({__name__=~"b|c"}[1m]))', 100_000);
    assert.ok(value.type === 'vector');
    assert.equal(value.samples[0]!.value, 2);
  });

  for (const rangeMs of [60_000, 6_000_000]) {
    it(`sees that in a database too, ${rangeMs === 60_000 ? 'in its head' : 'in blocks and head'}`, async () => {
      let remove = (): void => {};
      const dir = temporaryDirectory((removing) => (remove = removing));
      const blockMs = 600_000;
      const db = await open(dir, {
        minBlockDurationMs: blockMs,
        maxBlockDurationMs: blockMs,
        limits: { maxFutureMs: 0 },
      });
      for (let s = 0; s < 200; s++) {
        const timeMs = START_MS + s * STEP_MS;
        await write(db, [
          ['a i=0 j=x', timeMs, s],
          ['b i=0 j=y', timeMs, s],
          ['c i=0', timeMs, s],
          ...(s < 100 ? [] : ([['d i=0 j=y', timeMs, s]] as const)),
        ]);
        if (s % 50 === 49) await db.compact();
      }
      assert.ok(db.blocks().length > 0);
      const endMs = START_MS + 199 * STEP_MS;
      const count = async (names: string): Promise<number> => {
        const query = `count(rate({__name__=~"${names}"}[${rangeMs}ms]))`;
        const { value } = await engine.instant(db, query, endMs);
        assert.ok(value.type === 'vector');
        return value.samples[0]!.value;
      };
      assert.equal(await count('a|b|c'), 3);
      await assert.rejects(count('a|b|c|d'), { message: 'vector cannot contain metrics with the same labelset' });
      await db.close();
      remove();
    });
  }
});
