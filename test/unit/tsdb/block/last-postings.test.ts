import assert from 'node:assert/strict';
import { LastPostings } from '../../../../lib/tsdb/block/last-postings.ts';

describe('tsdb: the postings that were read last', () => {
  it('are given back as they were added', () => {
    const lists = new LastPostings();
    const list = Uint32Array.of(1, 2, 3);
    lists.add(8, list);
    assert.equal(lists.get(8), list);
    assert.equal(lists.get(12), undefined);
  });

  it('give way to newer ones, those not used for longest first', () => {
    const lists = new LastPostings();
    const list = new Uint32Array(5000);
    for (const offset of [1, 2, 3]) lists.add(offset, list);
    assert.equal(lists.get(1), list);
    lists.add(4, list);
    const kept = [1, 2, 3, 4].filter((offset) => lists.get(offset) !== undefined);
    assert.deepEqual(kept, [1, 3, 4]);
  });

  it('are few, however short they are', () => {
    const lists = new LastPostings();
    for (let offset = 0; offset < 1000; offset++) lists.add(offset, new Uint32Array(0));
    const kept = Array.from({ length: 1000 }, (_, offset) => offset).filter(
      (offset) => lists.get(offset) !== undefined,
    );
    assert.deepEqual(
      kept,
      Array.from({ length: 256 }, (_, i) => 744 + i),
    );
  });

  it('leave out a list that takes all the room', () => {
    const lists = new LastPostings();
    const list = Uint32Array.of(1);
    lists.add(1, list);
    lists.add(2, new Uint32Array(20_000));
    assert.equal(lists.get(2), undefined);
    assert.equal(lists.get(1), list);
  });
});
