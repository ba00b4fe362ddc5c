import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Labels, Matcher } from '../../../lib/model/index.ts';
import type { Tsdb, TsdbOptions } from '../../../lib/tsdb/index.ts';
import { eventually } from '../../tools/prometheus-api.ts';
import { dump, firstBlock, open, START_MS, temporaryDirectory, TestClock, write } from './harness.ts';

const HOUR_MS = 3_600_000;
/** Blocks of ten minutes, so that a day of blocks is quickly written. */
const RANGE_MS = HOUR_MS / 6;
const FROM_MS = Math.ceil(START_MS / (RANGE_MS * 9)) * RANGE_MS * 9;
const STEP_MS = 15_000;

describe('tsdb: head and blocks', function () {
  this.timeout(600_000);
  let dbs: Tsdb[] = [];
  let cleanUps: (() => void)[] = [];

  const directory = (): string => temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));

  async function opened(dir: string, options: Partial<TsdbOptions> = {}): Promise<Tsdb> {
    const db = await open(dir, {
      minBlockDurationMs: RANGE_MS,
      maxBlockDurationMs: RANGE_MS * 9,
      limits: { maxFutureMs: 0 },
      retention: { timeMs: 0 },
      walSegmentBytes: 4 << 10,
      ...options,
    });
    dbs.push(db);
    return db;
  }

  afterEach(async () => {
    for (const db of dbs) await db.close();
    for (const cleanUp of cleanUps) cleanUp();
    dbs = [];
    cleanUps = [];
  });

  /** Appends `count` steps of three series from step `from` on; one of them ends after the first twenty. */
  async function fill(db: Tsdb, from: number, count: number): Promise<void> {
    for (let step = from; step < from + count; step++) {
      const timeMs = FROM_MS + step * STEP_MS;
      const rows: [string, number, number][] = [
        ['steady job=a', timeMs, step],
        ['steady job=b', timeMs, Math.sin(step)],
      ];
      if (step < 20) rows.push(['brief job=a', timeMs, 1]);
      await write(db, rows);
    }
  }

  it('moves what is old to blocks, forgets it in memory and log, and answers as before', async () => {
    const dir = directory();
    const db = await opened(dir);
    await fill(db, 0, 400);
    const before = await dump(db);
    await db.compact();
    assert.deepEqual(await dump(db), before);
    const { blocks, numSeries, minTimeMs, checkpoints, compactor } = db.stats();
    assert.ok(blocks.blocks >= 1 && compactor.compactions >= 9, `${blocks.blocks} blocks, ${compactor.compactions}`);
    assert.equal(numSeries, 2, 'the series that ended is not in memory any more');
    assert.ok(minTimeMs! >= FROM_MS + 9 * RANGE_MS);
    assert.ok(checkpoints >= 1);
    assert.ok(readdirSync(join(dir, 'wal')).some((name) => name.startsWith('checkpoint.')));
    await db.close();
    const again = await opened(dir);
    assert.deepEqual(await dump(again), before);
    await fill(again, 400, 100);
    await again.compact();
    const rest = await dump(again);
    assert.equal(rest['{__name__="steady", job="a"}']!.length, 500);
    assert.equal(rest['{__name__="brief", job="a"}']!.length, 20);
  });

  it('compacts of its own accord while samples come in', async () => {
    const clock = new TestClock();
    const db = await opened(directory(), { clock });
    await fill(db, 0, 200);
    assert.equal(db.blocks().length, 0);
    clock.fire();
    await eventually('three compactions', 60_000, async () => db.stats().compactor.compactions >= 3);
    assert.ok(db.blocks().length > 0);
  });

  it('does not read what is deleted, in blocks and in the head, before and after it is cleaned and opened again', async () => {
    const dir = directory();
    const db = await opened(dir);
    await fill(db, 0, 200);
    await db.compact();
    const from = FROM_MS + 10 * STEP_MS;
    const to = FROM_MS + 190 * STEP_MS;
    await db.deleteSeries(from, to, [new Matcher('=', 'job', 'a')]);
    const check = async (database: Tsdb): Promise<void> => {
      const found = await dump(database);
      assert.deepEqual(
        found['{__name__="steady", job="a"}']!.map(([timeMs]) => (timeMs - FROM_MS) / STEP_MS),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 191, 192, 193, 194, 195, 196, 197, 198, 199],
      );
      assert.equal(found['{__name__="steady", job="b"}']!.length, 200);
      assert.equal(found['{__name__="brief", job="a"}']!.length, 10);
    };
    await check(db);
    await db.close();
    const again = await opened(dir);
    await check(again);
    await again.cleanTombstones();
    await check(again);
    assert.ok(again.blocks().every((meta) => (meta.stats.numTombstones ?? 0) === 0));
    await again.compact();
    await check(again);
  });

  it('keeps blocks and chunks that a query reads until it is closed', async () => {
    const db = await opened(directory());
    await fill(db, 0, 200);
    const querier = db.querier(FROM_MS, FROM_MS + HOUR_MS * 24);
    const set = await querier.select(true, { startMs: FROM_MS, endMs: FROM_MS + HOUR_MS * 24 }, [
      new Matcher('=', '__name__', 'steady'),
    ]);
    const compaction = db.compact();
    await firstBlock(db);
    assert.equal(db.stats().headTruncations, 0, 'the head is not cut under a reader');
    let samples = 0;
    const { SampleColumns } = await import('../../../lib/model/index.ts');
    for await (const batch of set.batches) {
      for (const series of batch) {
        const columns = new SampleColumns();
        series.read(columns);
        samples += columns.length;
      }
    }
    assert.equal(samples, 400);
    querier.close();
    await compaction;
    assert.ok(db.stats().headTruncations > 0);
  });

  it('makes a snapshot that opens as a database of its own', async () => {
    const db = await opened(directory());
    await fill(db, 0, 200);
    await db.compact();
    const to = join(directory(), 'snapshot');
    await db.snapshot(to);
    const copy = await opened(to);
    assert.deepEqual(await dump(copy), await dump(db));
  });

  it('takes samples out of order within the window, and compacts them', async () => {
    const dir = directory();
    const db = await opened(dir, { outOfOrderWindowMs: HOUR_MS });
    await fill(db, 0, 100);
    const late = FROM_MS + 50 * STEP_MS + 1;
    const labels = Labels.of({ __name__: 'steady', job: 'a' });
    const appender = db.appender();
    assert.equal(appender.append(appender.series(labels), late, -1), 0);
    await appender.commit();
    const expected = await dump(db);
    assert.ok(expected['{__name__="steady", job="a"}']!.some(([timeMs]) => timeMs === late));
    await fill(db, 100, 100);
    await db.compact();
    const compacted = await dump(db);
    assert.deepEqual(
      compacted['{__name__="steady", job="a"}']!.slice(0, 101),
      expected['{__name__="steady", job="a"}'],
    );
    await db.close();
    assert.deepEqual(await dump(await opened(dir, { outOfOrderWindowMs: HOUR_MS })), compacted);
  });

  it('deletes what is past retention, but never the last block', async () => {
    const db = await opened(directory(), { retention: { timeMs: RANGE_MS * 3 }, maxBlockDurationMs: RANGE_MS });
    await fill(db, 0, 400);
    await db.compact();
    await db.compact();
    const metas = db.blocks();
    assert.ok(metas.length >= 1 && metas.length <= 4, `${metas.length} blocks`);
    db.configure({ retention: { timeMs: 1 } });
    await db.compact();
    assert.equal(db.blocks().length, 1);
  });
});
