import assert from 'node:assert/strict';
import { run } from './chunks.ts';

describe('bench: chunks', () => {
  it('runs small and writes the same chunks every time', () => {
    const figures = run(0.01);
    assert.equal(figures.hash, run(0.01).hash);
    for (const [name, value] of Object.entries(figures)) assert.ok(value > 0 && Number.isFinite(value), name);
  });
});
