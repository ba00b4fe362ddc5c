import assert from 'node:assert/strict';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { run } from './select.ts';

describe('select benchmark', () => {
  it('runs small, and finds in the block what was in the head', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    const { samples, headNs, blockNs, sum } = await run(3, 480);
    assert.equal(samples, 3 * 80 * 480);
    assert.equal(sum, 3_182_718);
    assert.ok(headNs > 0 && blockNs > 0);
  });
});
