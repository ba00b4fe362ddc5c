import assert from 'node:assert/strict';
import { run } from '../../bench/kernels-print.ts';

describe('bench: points of answers', function () {
  this.timeout(600_000);
  it('runs small and writes the same every time', () => {
    const figures = run(0.01);
    assert.equal(figures.hash, run(0.01).hash);
    const { kernelNs, twinNs, rangeNs, instantNs } = figures;
    for (const ns of [...Object.values(kernelNs), ...Object.values(twinNs), rangeNs, instantNs]) {
      assert.ok(ns > 0 && Number.isFinite(ns));
    }
  });
});
