import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';

describe('kernels: the shared arena', function () {
  this.timeout(600_000);
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
        const size = 1 + Math.floor(random() ** 6 * 100_000);
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

  it('cuts small blocks from large ones that are free before it takes more memory', () => {
    const { arena } = createKernels();
    const large = Array.from({ length: 10 }, () => arena.allocate(150_000));
    for (const address of large) arena.free(address, 150_000);
    const room = arena.roomBytes;
    const seen = new Set<number>();
    // As many as fit: 196,608 bytes are what a block of the class has.
    for (let i = 0; i < 10 * Math.floor(196_608 / 96); i++) seen.add(arena.allocate(90));
    assert.equal(seen.size, 10 * 2048);
    assert.equal(arena.roomBytes, room);
    const sorted = [...seen].sort((a, b) => a - b);
    sorted.slice(1).forEach((address, i) => assert.ok(address - sorted[i]! >= 96));
    assert.ok(arena.allocate(90) > Math.max(...large), 'then memory that was never used');
    assert.ok(arena.roomBytes < room);
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
