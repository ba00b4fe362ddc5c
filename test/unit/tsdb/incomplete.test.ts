import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeFileSystem } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { Matcher } from '../../../lib/model/index.ts';
import { Engine } from '../../../lib/promql/index.ts';
import type { Queryable } from '../../../lib/storage/index.ts';
import { type Tsdb, TsdbReader } from '../../../lib/tsdb/index.ts';
import { open, temporaryDirectory, write } from './harness.ts';

const RANGE_MS = 600_000;
const FIRST_MS = 1_700_000_400_000;

describe('tsdb: with blocks that cannot be read', function () {
  this.timeout(600_000);
  const options = { minBlockDurationMs: RANGE_MS, maxBlockDurationMs: RANGE_MS, limits: { maxFutureMs: 0 } };
  let dir: string;
  let cleanUp = (): void => {};
  let db: Tsdb;
  /** In order of their times. */
  let ulids: string[];

  before(async () => {
    dir = temporaryDirectory((remove) => (cleanUp = remove));
    db = await open(dir, options);
    for (let step = 0; step < 200; step++) await write(db, [['m a=1', FIRST_MS + step * 15_000, step]]);
    await db.compact();
    ulids = db.blocks().map(({ ulid }) => ulid);
    assert.ok(ulids.length >= 3);
    await db.close();
    writeFileSync(join(dir, ulids[1]!, 'index'), 'nonsense');
    db = await open(dir, options);
    assert.equal(db.stats().blocks.unreadable, 1);
  });

  after(async () => {
    await db.close();
    cleanUp();
  });

  async function warnings(queryable: Queryable, minMs: number, maxMs: number): Promise<readonly string[][]> {
    const querier = queryable.querier(minMs, maxMs);
    const matchers = [new Matcher('=', '__name__', 'm')];
    const set = await querier.select(true, { startMs: minMs, endMs: maxMs }, matchers);
    for await (const batch of set.batches) assert.equal(batch.length, 1);
    const names = await querier.labelNames({}, matchers);
    const values = await querier.labelValues('a', {}, []);
    querier.close();
    return [set, names, values].map(({ annotations }) => [...annotations.warnings]);
  }

  /** The database itself, and what reads it on another thread. */
  async function everywhere(check: (queryable: Queryable) => Promise<void>): Promise<void> {
    await check(db);
    const reader = new TsdbReader({ fileSystem: nodeFileSystem, kernels: createKernels(), cacheBytes: 1 << 20 });
    const loan = db.lend();
    await check(reader.queryable(structuredClone(loan.handle)));
    reader.close();
    loan.release();
  }

  it('says which, when they may have samples that are asked for', async () => {
    const from = FIRST_MS + RANGE_MS;
    const to = from + RANGE_MS;
    const expected = `block ${ulids[1]} from ${new Date(from).toISOString()} to ${new Date(to).toISOString()} cannot be read: its samples are missing`;
    await everywhere(async (queryable) => {
      for (const [minMs, maxMs] of [
        [-1e15, 1e15],
        [from, from],
        [to - 1, to + 1000],
      ] as const) {
        assert.deepEqual(await warnings(queryable, minMs, maxMs), [[expected], [expected], [expected]]);
      }
      for (const [minMs, maxMs] of [
        [-1e15, from - 1],
        [to, 1e15],
      ] as const) {
        assert.deepEqual(await warnings(queryable, minMs, maxMs), [[], [], []]);
      }
      const result = await new Engine().instant(queryable, 'sum(m)', from + 1000);
      assert.deepEqual(result.annotations.warnings, [expected]);
    });
  });

  it('says so whatever is asked for when even its times are not known', async () => {
    await db.close();
    rmSync(join(dir, ulids[1]!, 'meta.json'));
    db = await open(dir, options);
    const expected = `block ${ulids[1]} of unknown times cannot be read: its samples are missing`;
    await everywhere(async (queryable) => {
      assert.deepEqual(await warnings(queryable, FIRST_MS, FIRST_MS), [[expected], [expected], [expected]]);
    });
  });
});
