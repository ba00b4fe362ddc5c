import assert from 'node:assert/strict';
import { Labels } from '../../../../lib/model/index.ts';
import { LabelsMap } from '../../../../lib/promql/eval/labels-map.ts';

describe('promql: a map by labels', () => {
  it('finds equal labels, whichever object they are, and keeps the order of insertion', () => {
    const map = new LabelsMap<number>();
    for (let i = 0; i < 1000; i++)
      assert.equal(
        map.ensure(Labels.of({ a: String(i % 500), b: 'x' }), () => i),
        i % 500,
      );
    assert.deepEqual(
      map.values,
      Array.from({ length: 500 }, (_, i) => i),
    );
    assert.equal(map.get(Labels.of({ b: 'x', a: '7' })), 7);
    assert.equal(map.get(Labels.of({ a: '7' })), undefined);
  });
});
