import assert from 'node:assert/strict';
import { FloatSlabs } from '../../../../lib/promql/eval/float-slabs.ts';

const MIB = 1 << 20;

describe('slabs of floats', () => {
  it('take little memory for little', () => {
    assert.ok(new FloatSlabs().floats(1).buffer.byteLength <= 4096);
  });

  it('lie together, in few large pieces when they are many', () => {
    const slabs = new FloatSlabs();
    const columns = Array.from({ length: 5_000 }, () => slabs.floats(241));
    const pieces = new Set(columns.map(({ buffer }) => buffer));
    const sizes = [...pieces].map(({ byteLength }) => byteLength);
    assert.equal(Math.max(...sizes), MIB);
    assert.ok(pieces.size < 16, `${pieces.size} pieces`);
  });

  it('are zeros, and nobody else’s', () => {
    const slabs = new FloatSlabs();
    for (const length of [600, 3, 511, 40, 5_000, 40_000, 7]) {
      const column = slabs.floats(length);
      assert.ok(column.every((value) => value === 0));
      assert.equal(column.length, length);
      column.fill(length);
    }
  });

  it('copy a column', () => {
    const slabs = new FloatSlabs();
    slabs.floats(3);
    assert.deepEqual(slabs.copyOf(Float64Array.of(1, NaN, 3)), Float64Array.of(1, NaN, 3));
  });
});
