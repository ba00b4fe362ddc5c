import assert from 'node:assert/strict';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { benchCompaction } from './compaction.ts';

describe('compaction benchmark', () => {
  it('runs small, and makes the same blocks each time', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    const { head, adjacent, overlapping } = await benchCompaction(200);
    assert.deepEqual([head.samples, adjacent.samples, overlapping.samples], [96_000, 288_000, 192_000]);
    assert.deepEqual(
      [head.hash, adjacent.hash, overlapping.hash],
      ['8865e4b4dba98150', '4020d4291b46e7a6', '9caba6e03aca1b06'],
    );
    for (const { cpuSeconds, peakRssBytes, idleRssBytes } of [head, adjacent, overlapping]) {
      assert.ok(cpuSeconds >= 0 && peakRssBytes >= idleRssBytes);
    }
  });
});
