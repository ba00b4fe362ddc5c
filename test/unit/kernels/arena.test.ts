import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';

describe('kernels: the shared arena', () => {
  it('gives blocks that are aligned, large enough and never overlap, through any order of frees', () => {
    const { arena } = createKernels();
    const random = seededRandom(3);
    const live: { address: number; size: number; mark: number }[] = [];
    for (let step = 0; step < 3000; step++) {
      if (live.length > 0 && random() < 0.45) {
        const [block] = live.splice(Math.floor(random() * live.length), 1);
        const { address, size, mark } = block!;
        for (let i = 0; i < size; i++) assert.equal(arena.u8[address + i], mark);
        arena.free(address, size);
      } else {
        const size = 1 + Math.floor(random() ** 4 * 5000);
        const address = arena.allocate(size);
        const mark = step & 0xff;
        assert.equal(address % 8, 0);
        assert.ok(arena.capacityOf(size) >= size);
        assert.ok(address + size <= arena.memory.buffer.byteLength);
        arena.u8.fill(mark, address, address + size);
        live.push({ address, size, mark });
      }
    }
    for (const { address, size } of live) arena.free(address, size);
    assert.equal(arena.usedBytes, 0);
  });

  it('wastes less than a third of a block', () => {
    const { arena } = createKernels();
    for (let size = 17; size < 1 << 20; size = Math.ceil(size * 1.13)) {
      const capacity = arena.capacityOf(size);
      assert.ok(capacity >= size && (capacity - size) / capacity < 1 / 3 + 1e-9, `${size} in ${capacity}`);
    }
  });

  it('reuses a freed block for the next of its class', () => {
    const { arena } = createKernels();
    const address = arena.allocate(100);
    arena.free(address, 100);
    assert.equal(arena.allocate(120), address);
  });

  it('leaves memory behind the last block for kernels that read ahead', () => {
    const { arena } = createKernels();
    for (let i = 0; i < 200; i++) {
      const address = arena.allocate(16_384);
      assert.ok(address + 16_384 + 16 <= arena.memory.buffer.byteLength);
    }
  });

  it('refuses a block above its largest class by name', () => {
    const { arena } = createKernels();
    assert.throws(() => arena.allocate(1 << 28), { code: 'kernels/block-too-large' });
  });
});
