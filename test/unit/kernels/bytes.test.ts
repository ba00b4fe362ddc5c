import assert from 'node:assert/strict';
import { createKernels } from '../../../lib/kernels/index.ts';

describe('kernels for bytes', () => {
  const { arena, wasm } = createKernels();
  const length = 100;
  const address = arena.allocate(length);
  const bytes = (): Uint8Array => arena.u8.subarray(address, address + length);

  beforeEach(() => bytes().forEach((_, i, all) => (all[i] = i)));

  it('clear what they are told to, and nothing beside it', () => {
    const expected = Array.from(bytes()).fill(0, 3, 93);
    wasm.clearBytes(address + 3, 90);
    assert.deepEqual(Array.from(bytes()), expected);
    wasm.clearBytes(address + 95, 0);
    assert.deepEqual(Array.from(bytes()), expected);
  });

  it('copy to either side, over themselves too', () => {
    const expected = Array.from(bytes());
    wasm.copyBytes(address, address + 10, 50);
    expected.copyWithin(10, 0, 50);
    assert.deepEqual(Array.from(bytes()), expected);
    wasm.copyBytes(address + 40, address + 35, 60);
    expected.copyWithin(35, 40, 100);
    assert.deepEqual(Array.from(bytes()), expected);
  });
});
