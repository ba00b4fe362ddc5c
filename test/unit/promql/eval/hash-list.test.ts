import assert from 'node:assert/strict';
import { seededRandom } from '../../../../lib/env/index.ts';
import { HashList } from '../../../../lib/promql/eval/hash-list.ts';

describe('promql: a list of different hashes', function () {
  this.timeout(600_000);
  it('gives each the place of its first coming', () => {
    const random = seededRandom(1);
    const list = new HashList();
    const places = new Map<number, number>();
    for (let i = 0; i < 20_000; i++) {
      const hash = i % 3 === 0 ? Math.floor(random() * 2000) * 2 ** 32 : Math.floor(random() * 2 ** 53);
      assert.equal(list.find(hash), places.get(hash) ?? -1);
      if (!places.has(hash)) places.set(hash, places.size);
      assert.equal(list.add(hash), places.get(hash));
    }
    assert.equal(list.length, places.size);
    assert.deepEqual([...list.hashes], [...places.keys()]);
  });
});
