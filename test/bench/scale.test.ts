import assert from 'node:assert/strict';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { run, type ScaleFigures } from './scale.ts';

describe('scale benchmark', () => {
  it('runs small: hours of data are written, compacted and answered from', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    const figures: ScaleFigures[] = [];
    await run({ services: 1, hours: [1, 10] }, (one) => figures.push(one));
    const [first, last] = figures;
    assert.deepEqual(
      figures.map(({ hours, samples, series }) => [hours, samples, series]),
      [
        [1, 96_000, 800],
        [10, 960_000, 800],
      ],
    );
    assert.ok(first!.blocks === 0 && last!.blocks > 0 && last!.blockBytes > 0);
    assert.ok(last!.headChunkBytes > 0 && last!.logBytes < 10 * first!.logBytes);
    // The answers are those of the workload, on any machine; the first is checked against it in the run.
    assert.equal(last!.queries[0]!.sum, 26_473_774);
    for (const { milliseconds, sum } of last!.queries) assert.ok(milliseconds > 0 && sum > 0);
  });
});
