import assert from 'node:assert/strict';
import { Labels } from '../../../lib/model/index.ts';
import { Engine, exprToString, parseExpr } from '../../../lib/promql/index.ts';
import { MemoryStorage } from '../../conformance/promqltest/memory-storage.ts';

async function countOf(query: string): Promise<number> {
  const storage = new MemoryStorage();
  for (let i = 0; i <= 10; i++) storage.add(Labels.of({ __name__: 'a' }), i * 1000, i);
  const { value } = await new Engine().instant(storage, query, 10_000);
  assert.ok(value.type === 'vector');
  return value.samples.length;
}

describe('Odd durations', () => {
  it('end, when a subquery steps by less than a millisecond', async () => {
    assert.equal(await countOf('max_over_time(a[5s:0.0001])'), 1);
  });

  it('hold nothing, when a range is shorter than a millisecond', async () => {
    assert.equal(await countOf('count_over_time(a[0.0004])'), 0);
  });

  it('look into the far future, when an offset is not a number', async () => {
    assert.equal(await countOf('a offset NaN'), 0);
  });

  it('are cut to milliseconds, yet an offset below that is one', () => {
    assert.equal(exprToString(parseExpr('a offset 0.0006')), 'a offset 0s');
    assert.equal(exprToString(parseExpr('a offset -0.0006')), 'a offset -0s');
    assert.equal(exprToString(parseExpr('a[1.0006]')), 'a[1s]');
    assert.throws(() => parseExpr('a offset 0.0001 offset 1m'), /offset may not be set multiple times/);
    assert.throws(() => parseExpr('(a offset 0.0001)[5m]'), /ranges only allowed for vector selectors/);
  });
});
