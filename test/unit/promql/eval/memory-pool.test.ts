import assert from 'node:assert/strict';
import { MemoryPool, PoolShare } from '../../../../lib/promql/index.ts';

const MIB = 1 << 20;

describe('The memory that all queries share', () => {
  it('is taken in steps, by the largest need of a request', () => {
    const pool = new MemoryPool(4 * MIB, 2);
    const share = new PoolShare(pool.open());
    assert.ok(share.cover(1));
    assert.equal(pool.takenBytes, MIB / 4);
    assert.ok(share.cover(MIB));
    assert.ok(share.cover(MIB / 2));
    assert.equal(pool.takenBytes, MIB);
    share.release();
    assert.equal(pool.takenBytes, 0);
  });

  it('is refused to one while another has it, who keeps what it has', () => {
    const pool = new MemoryPool(4 * MIB, 2);
    const one = new PoolShare(pool.open());
    const other = new PoolShare(pool.open());
    assert.ok(one.cover(3 * MIB));
    assert.ok(other.cover(MIB));
    assert.ok(!other.cover(MIB + 1));
    assert.equal(pool.takenBytes, 4 * MIB);
    one.release();
    assert.ok(other.cover(4 * MIB));
    assert.ok(!one.cover(1));
  });

  it('is free again when a thread has ended that gave nothing back', () => {
    const pool = new MemoryPool(MIB, 1);
    for (let i = 0; i < 3; i++) {
      const place = pool.open();
      assert.ok(new PoolShare(place).cover(MIB));
      pool.close(place);
      assert.equal(pool.takenBytes, 0);
    }
  });
});
