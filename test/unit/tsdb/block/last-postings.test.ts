import assert from 'node:assert/strict';
import { LastPostings } from '../../../../lib/tsdb/block/last-postings.ts';

describe('tsdb: the postings that were read last', () => {
  it('are given back as they were added', () => {
    const lists = new LastPostings();
    const list = Uint32Array.of(1, 2, 3);
    lists.add('a', list);
    assert.equal(lists.get('a'), list);
    assert.equal(lists.get('b'), undefined);
  });

  it('give way to newer ones, those not used for longest first', () => {
    const lists = new LastPostings();
    const list = new Uint32Array(5000);
    for (const pair of ['a', 'b', 'c']) lists.add(pair, list);
    assert.equal(lists.get('a'), list);
    lists.add('d', list);
    const kept = ['a', 'b', 'c', 'd'].filter((pair) => lists.get(pair) !== undefined);
    assert.deepEqual(kept, ['a', 'c', 'd']);
  });

  for (const { length, most } of [
    { length: 4, most: 248 },
    { length: 4000, most: 7 },
  ]) {
    it(`are few, however short they are: ${most} of pairs of ${length} characters`, () => {
      const lists = new LastPostings();
      const pairs = Array.from({ length: 1000 }, (_, i) => String(i).padStart(length));
      for (const pair of pairs) lists.add(pair, new Uint32Array(0));
      const kept = pairs.filter((pair) => lists.get(pair) !== undefined);
      assert.deepEqual(kept, pairs.slice(1000 - most));
    });
  }

  it('leave out a list that takes all the room', () => {
    const lists = new LastPostings();
    const list = Uint32Array.of(1);
    lists.add('a', list);
    lists.add('b', new Uint32Array(20_000));
    assert.equal(lists.get('b'), undefined);
    assert.equal(lists.get('a'), list);
  });
});
