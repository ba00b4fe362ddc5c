import assert from 'node:assert/strict';
import { PageBuffer } from '../../../agent/scrape/page-buffer.ts';
import { createKernels } from '../../../lib/kernels/index.ts';

describe('page buffer', () => {
  const { arena } = createKernels();

  /** A body of each size, arriving in each way. */
  const arrivals: Readonly<Record<string, (page: PageBuffer, body: Buffer) => void>> = {
    'of a known length': (page, body) => {
      page.reserveAll(body.length);
      page.append(body);
    },
    'of an unknown length': (page, body) => {
      page.reserveRead();
      page.append(body);
    },
    'without any reservation': (page, body) => page.append(body),
  };
  for (const [how, fill] of Object.entries(arrivals)) {
    for (const size of [0, 1, 15, 16, 17, 31, 32, 33, 4096, 65_536, 100_000]) {
      it(`holds ${size} bytes ${how} and gives back exactly the memory it took`, () => {
        const before = arena.usedBytes;
        const body = Buffer.alloc(size, 'x');
        const page = new PageBuffer(arena, 0);
        fill(page, body);
        page.seal();
        assert.deepEqual(Buffer.from(page.bytes()), Buffer.concat([body, Buffer.from('\n')]));
        page.release();
        assert.equal(arena.usedBytes, before);
      });
    }
  }

  it('never shares memory with a block allocated behind an empty page', () => {
    for (let round = 0; round < 3; round++) {
      const page = new PageBuffer(arena, 0);
      page.seal();
      page.release();
    }
    const blocks = [32, 33, 48, 32, 48].map((size) => ({ address: arena.allocate(size), size }));
    blocks.sort((a, b) => a.address - b.address);
    blocks.slice(1).forEach(({ address }, i) => assert.ok(blocks[i]!.address + blocks[i]!.size <= address));
  });
});
