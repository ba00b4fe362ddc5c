import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { crc32c } from '../../../lib/kernels/twins/crc32c.ts';

describe('kernels: CRC-32C', () => {
  const { arena, wasm } = createKernels();
  const address = arena.allocate(4096);
  const kernel = (bytes: Uint8Array, seed = 0): number => {
    arena.u8.set(bytes, address);
    return wasm.crc32c(seed, address, bytes.length) >>> 0;
  };

  it('gives the check value of the polynomial and those of RFC 3720', () => {
    assert.equal(kernel(Buffer.from('123456789')), 0xe3069283);
    assert.equal(kernel(new Uint8Array(32)), 0x8a9136aa);
    assert.equal(kernel(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
    assert.equal(kernel(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
  });

  it('equals its twin on random bytes of every short length, whole and in two parts', () => {
    const random = seededRandom(7);
    for (let length = 0; length < 300; length++) {
      const bytes = Uint8Array.from({ length }, () => random() * 256);
      const expected = crc32c(0, bytes);
      assert.equal(kernel(bytes), expected);
      const cut = Math.floor(random() * (length + 1));
      assert.equal(kernel(bytes.subarray(cut), kernel(bytes.subarray(0, cut))), expected);
    }
  });
});
