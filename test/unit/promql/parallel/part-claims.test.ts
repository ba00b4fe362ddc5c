import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { PartClaims, type PartRange } from '../../../../lib/promql/parallel/part-claims.ts';

describe('Claims of parts', () => {
  it('are each made once, by whoever asked from the front and by others from the back', () => {
    const random = seededRandom(5);
    for (let round = 0; round < 200; round++) {
      const count = Math.floor(random() * 40);
      const mine = new PartClaims(count);
      const theirs = new PartClaims(count, mine.shared);
      const own: number[] = [];
      const others: PartRange[] = [];
      for (let isLeft = count > 0; isLeft;) {
        if (random() < 0.5) {
          const part = mine.takeFirst();
          isLeft = part !== undefined;
          if (part !== undefined) own.push(part);
        } else {
          const range = theirs.takeLast(1 + Math.floor(random() * 4));
          isLeft = range !== undefined;
          if (range !== undefined) others.unshift(range);
        }
      }
      const taken = others.flatMap(({ from, end }) => Array.from({ length: end - from }, (_, i) => from + i));
      assert.deepEqual(
        [...own, ...taken],
        Array.from({ length: count }, (_, i) => i),
      );
      assert.equal(mine.takeRest(), undefined);
    }
  });

  it('take a share of what is left, or nothing when that is too little', () => {
    const claims = new PartClaims(16);
    assert.equal(claims.takeFirst(), 0);
    assert.deepEqual(claims.takeLast(2), { from: 9, end: 16 });
    assert.equal(claims.takeLast(2, 5), undefined);
    assert.deepEqual(claims.takeLast(3, 2), { from: 7, end: 9 });
    assert.deepEqual(claims.takeRest(), { from: 1, end: 7 });
    assert.equal(claims.takeFirst(), undefined);
  });
});
