import assert from 'node:assert/strict';
import { run } from '../../bench/kernels-xor.ts';

describe('bench: XOR chunks', function () {
  this.timeout(600_000);
  it('runs small and writes the same chunks every time', async () => {
    const figures = await run(0.01);
    assert.equal(figures.hash, (await run(0.01)).hash);
    for (const [name, value] of Object.entries(figures)) {
      // What is resident may be less afterwards.
      assert.ok(Number.isFinite(value), name);
      if (name !== 'residentBytesPerSeries') assert.ok(value > 0, name);
    }
  });
});
