import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { intersect, intersects } from '../../../lib/tsdb/postings.ts';

const refs = fc.uniqueArray(fc.nat(200), { maxLength: 60 }).map((list) => Uint32Array.from(list).sort());

describe('tsdb: sorted lists of refs', () => {
  it('have refs in common when their intersection has some', () => {
    fc.assert(
      fc.property(refs, refs, (a, b) => {
        const common = [...a].filter((ref) => b.includes(ref));
        assert.deepEqual([...intersect(a, b)], common);
        assert.equal(intersects(a, b), common.length > 0);
      }),
      { seed: 1 },
    );
  });

  it('are stepped through where one is far longer', () => {
    const long = Uint32Array.from({ length: 10_000 }, (_, i) => 2 * i);
    assert.equal(intersects(long, Uint32Array.of(1, 19_998)), true);
    assert.equal(intersects(Uint32Array.of(1, 3, 19_997, 30_000), long), false);
    assert.equal(intersects(long, new Uint32Array(0)), false);
  });
});
