import assert from 'node:assert/strict';
import { SeriesHeap } from '../../../../lib/promql/eval/series-heap.ts';

describe('A heap of series', () => {
  it('keeps the largest and shows them from the largest on', () => {
    const values = [5, 1, 9, 7, 3, 9, 2, 8, 6, 4, 0, 11, 13, 12, 10, 14, 15, 16];
    for (const count of [1, 2, 5, 12, 15]) {
      const heap = new SeriesHeap((a, b) => values[a]! < values[b]!);
      for (const [i, value] of values.entries()) {
        if (heap.indices.length < count) heap.push(i);
        else if (value > values[heap.indices[0]!]!) heap.replaceTop(i);
      }
      const expected = values.toSorted((a, b) => b - a).slice(0, count);
      assert.deepEqual(
        heap.sorted().map((i) => values[i]),
        expected,
      );
    }
  });

  it("drops of equal values the one on top, as Go's heap does", () => {
    const values = [1, 1, 2];
    const heap = new SeriesHeap((a, b) => values[a]! < values[b]!);
    heap.push(0);
    heap.push(1);
    heap.replaceTop(2);
    assert.deepEqual(heap.sorted(), [2, 1]);
  });
});
