import assert from 'node:assert/strict';
import { Labels } from '../../../lib/model/index.ts';
import { Engine } from '../../../lib/promql/index.ts';
import { parseExpr } from '../../../lib/promql/parse/parser.ts';
import { QueryMemo } from '../../../lib/promql/parse/query-memo.ts';
import { MemoryStorage } from '../../conformance/promqltest/memory-storage.ts';

describe('The memo of queries', () => {
  it('has one expression for a text, the one that parsing makes', () => {
    const memo = new QueryMemo(undefined);
    const query = 'sum by (a) (rate(b{c=~"d.*"}[5m]))';
    const expr = memo.parse(query);
    assert.deepEqual(expr, parseExpr(query));
    assert.equal(memo.parse(query), expr);
    assert.notEqual(memo.parse(`${query} `), expr);
  });

  it('parses by its features', () => {
    const query = 'limitk(1, a)';
    assert.throws(() => new QueryMemo(undefined).parse(query));
    const features = { experimentalFunctions: true };
    assert.deepEqual(new QueryMemo(features).parse(query), parseExpr(query, features));
  });

  it('says what is wrong each time', () => {
    const memo = new QueryMemo(undefined);
    for (let i = 0; i < 2; i++) assert.throws(() => memo.parse('sum(a'), { code: 'promql/parse' });
  });

  it('forgets what was asked longest ago', () => {
    const memo = new QueryMemo(undefined);
    const first = memo.parse('first');
    const second = memo.parse('second');
    for (let i = 0; i < 30; i++) memo.parse(`other_${i}`);
    assert.equal(memo.parse('first'), first);
    memo.parse('one_more');
    assert.equal(memo.parse('first'), first);
    assert.notEqual(memo.parse('second'), second);
  });

  it('does not keep long queries', () => {
    const memo = new QueryMemo(undefined);
    const long = `a${' '.repeat(1_024)}`;
    assert.notEqual(memo.parse(long), memo.parse(long));
  });

  it('does not keep regexes that are compiled, which may be large', () => {
    const memo = new QueryMemo(undefined);
    for (const [matcher, isKept] of [
      ['b=~"c|d"', true],
      ['b!~"c.*"', true],
      ['b=~"c[0-9]+"', false],
      ['b!~"c.{1,900}"', false],
    ] as const) {
      for (const query of [`a{${matcher}}`, `1 + max_over_time(sum(rate(a{${matcher}}[5m]))[1h:])`]) {
        assert.equal(memo.parse(query) === memo.parse(query), isKept, query);
      }
    }
  });
});

describe('The PromQL engine, asked the same twice', () => {
  it('answers for the times of each', async () => {
    const storage = new MemoryStorage();
    for (let i = 0; i < 100; i++) storage.add(Labels.of({ __name__: 'a' }), i * 1_000, i);
    const engine = new Engine();
    const query = 'count_over_time(a[2 * step()]) + 1000 * (a @ start()) + 1000000 * (a @ end())';
    const valuesOf = async (startMs: number, endMs: number, stepMs: number): Promise<number[]> => {
      const { value } = await engine.range(storage, query, startMs, endMs, stepMs);
      assert.ok(value.type === 'matrix' && value.series.length === 1);
      return Array.from(value.series[0]!.values);
    };
    assert.deepEqual(await valuesOf(20_000, 30_000, 10_000), [30_020_020, 30_020_020]);
    assert.deepEqual(await valuesOf(40_000, 50_000, 5_000), [50_040_010, 50_040_010, 50_040_010]);
  });
});
