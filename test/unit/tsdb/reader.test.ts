import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Matcher } from '../../../lib/model/index.ts';
import type { Tsdb } from '../../../lib/tsdb/index.ts';
import { type Dump, dump, firstBlock, open, START_MS, temporaryDirectory, write } from './harness.ts';

const RANGE_MS = 600_000;
const STEP_MS = 15_000;

describe('tsdb: read on another thread', function () {
  this.timeout(600_000);
  let cleanUp = (): void => {};
  let db: Tsdb;
  let thread: Worker;

  beforeEach(async () => {
    const dir = temporaryDirectory((remove) => (cleanUp = remove));
    db = await open(dir, { minBlockDurationMs: RANGE_MS, maxBlockDurationMs: RANGE_MS, limits: { maxFutureMs: 0 } });
    thread = new Worker(new URL('./reader-thread.ts', import.meta.url));
  });

  afterEach(async () => {
    await thread.terminate();
    await db.close();
    cleanUp();
  });

  async function readThere(): Promise<Dump> {
    const loan = db.lend();
    thread.postMessage(loan.handle);
    const [samples] = (await once(thread, 'message')) as [Dump];
    loan.release();
    return samples;
  }

  async function fill(from: number, count: number): Promise<void> {
    for (let step = from; step < from + count; step++) {
      const timeMs = START_MS + step * STEP_MS;
      await write(db, [
        ['m a=1', timeMs, step],
        [`m b=${step >> 6}`, timeMs, -step],
      ]);
    }
  }

  it('gives what the database itself gives: from memory, from chunks on file, from blocks, without what is deleted', async () => {
    assert.deepEqual(await readThere(), {});
    await fill(0, 100);
    assert.deepEqual(await readThere(), await dump(db));
    for (let round = 1; round < 4; round++) {
      await fill(round * 100, 100);
      await db.compact();
      assert.deepEqual(await readThere(), await dump(db));
    }
    assert.ok(db.blocks().length > 1 && db.stats().chunksMapped > 0);
    for (let round = 0; round < 2; round++) {
      const from = START_MS + (10 + round * 20) * STEP_MS;
      await db.deleteSeries(from, from + STEP_MS, [new Matcher('=', 'a', '1')]);
      const expected = await dump(db);
      assert.equal(expected['{__name__="m", a="1"}']!.length, 400 - 2 * (round + 1));
      assert.deepEqual(await readThere(), expected);
    }
  });

  it('is waited for before the head is cut and blocks are deleted', async () => {
    await fill(0, 200);
    const expected = await dump(db);
    const loan = db.lend();
    const compaction = db.compact();
    await firstBlock(db);
    assert.equal(db.stats().headTruncations, 0);
    thread.postMessage(loan.handle);
    const [samples] = (await once(thread, 'message')) as [Dump];
    assert.deepEqual(samples, expected);
    loan.release();
    await compaction;
    assert.ok(db.stats().headTruncations > 0);
    assert.deepEqual(await readThere(), expected);
  });
});
