import assert from 'node:assert/strict';
import { createKernels } from '../../../lib/kernels/index.ts';

describe('kernels: postings', () => {
  const { arena, wasm } = createKernels();
  const address = arena.allocate(1024);
  const ascend = (refs: readonly number[], least = 0): boolean => {
    const bytes = Buffer.alloc(4 * refs.length);
    for (const [i, ref] of refs.entries()) bytes.writeUInt32BE(ref, 4 * i);
    arena.u8.set(bytes, address + 1);
    return wasm.postingsAscend(address + 1, refs.length, least) !== 0;
  };

  it('ascend when each is above the one before', () => {
    for (const refs of [[], [0], [0, 1, 2], [5, 256, 65_536, 2 ** 31, 2 ** 32 - 1]]) assert.equal(ascend(refs), true);
    for (const refs of [
      [1, 1],
      [2, 1],
      [0, 1, 2, 2 ** 31, 2 ** 31 - 1],
      [2 ** 32 - 1, 0],
    ])
      assert.equal(ascend(refs), false);
  });

  it('go on where the slice before them ended', () => {
    assert.equal(ascend([7, 8], 7), true);
    assert.equal(ascend([7, 8], 8), false);
    assert.equal(ascend([2 ** 32 - 1], 2 ** 32), false);
    assert.equal(ascend([], 2 ** 32), true);
  });
});
