import assert from 'node:assert/strict';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { run } from './scan.ts';

describe('scan benchmark', () => {
  it('runs small, and every way reads the same values', async function () {
    this.timeout(SUITE_TIMEOUT_MS);
    const result = await run(0.01);
    assert.equal(result.checksum, 4_107_668_010.21);
    const { cpuMicrosPerScrape, ...rest } = result;
    // CPU time is counted in ticks on some systems.
    assert.ok(cpuMicrosPerScrape >= 0);
    for (const [name, value] of Object.entries(rest)) assert.ok(value > 0 && Number.isFinite(value), name);
  });
});
