import assert from 'node:assert/strict';
import { run } from './scan.ts';

describe('scan benchmark', () => {
  it('runs small, and every way reads the same values', async () => {
    const result = await run(0.01);
    assert.equal(result.checksum, 4_107_668_010.21);
    assert.ok(result.kernelNsPerLine > 0 && result.cpuMicrosPerScrape > 0);
  });
});
