import assert from 'node:assert/strict';
import { createLogger, type Logger } from '../../../lib/env/index.ts';
import { Labels, Matcher, STALE_NAN } from '../../../lib/model/index.ts';
import { AppendResult } from '../../../lib/storage/index.ts';
import type { Tsdb } from '../../../lib/tsdb/index.ts';
import { dump, open, parse, START_MS, temporaryDirectory, TestClock, write } from './harness.ts';

describe('tsdb: appending', function () {
  this.timeout(600_000);
  const cleanUps: (() => unknown)[] = [];
  const clock = new TestClock();
  let db: Tsdb;
  beforeEach(async () => {
    db = await open(
      temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)),
      { clock, limits: { maxSeries: 1000 } },
    );
    cleanUps.push(() => db.close());
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  const HOUR = 3_600_000;
  const base: [string, number, number] = ['m a=1', START_MS, 1];
  const cases: { name: string; time: number; value: number; result: AppendResult; stored: boolean }[] = [
    { name: 'a newer sample', time: START_MS + 1, value: 2, result: AppendResult.ok, stored: true },
    { name: 'the same sample again', time: START_MS, value: 1, result: AppendResult.ok, stored: false },
    { name: 'another value at the same time', time: START_MS, value: 2, result: AppendResult.duplicate, stored: false },
    { name: 'an older sample', time: START_MS - 1, value: 2, result: AppendResult.outOfOrder, stored: false },
    {
      name: 'one from half a block ago',
      time: START_MS - HOUR,
      value: 2,
      result: AppendResult.outOfOrder,
      stored: false,
    },
    { name: 'one before that', time: START_MS - HOUR - 1, value: 2, result: AppendResult.tooOld, stored: false },
    {
      name: 'one ten minutes ahead of the clock',
      time: clock.nowMs + 600_000,
      value: 2,
      result: AppendResult.ok,
      stored: true,
    },
    {
      name: 'one further ahead',
      time: clock.nowMs + 600_001,
      value: 2,
      result: AppendResult.tooFarAhead,
      stored: false,
    },
    { name: 'a time beyond what is exact', time: 2 ** 63, value: 2, result: AppendResult.tooFarAhead, stored: false },
    { name: 'a time as far in the past', time: -(2 ** 63), value: 2, result: AppendResult.tooOld, stored: false },
  ];
  for (const { name, time, value, result, stored } of cases) {
    it(`answers ${name} with ${Object.entries(AppendResult).find(([, v]) => v === result)![0]}`, async () => {
      await write(db, [base]);
      assert.deepEqual(await write(db, [['m a=1', time, value]]), [result]);
      const expected: unknown[] = [[START_MS, '1']];
      if (stored) expected.push([time, String(value)]);
      assert.deepEqual((await dump(db))['{__name__="m", a="1"}'], expected);
    });
  }

  it('says of a ref that names no series that it is unknown', () => {
    assert.equal(db.appender().append(77, START_MS, 1), AppendResult.unknownRef);
    assert.equal(db.appender().append(2 ** 32 - 1, START_MS, 1), AppendResult.unknownRef);
  });

  it('takes a column of samples, skips ref 0 and reports each refusal at its place', async () => {
    await write(db, [['b', START_MS + 10, 1]]);
    const appender = db.appender();
    const refs = Uint32Array.of(appender.series(parse('a')), 0, appender.series(parse('b')), 9999);
    const results = new Uint8Array(4).fill(99);
    assert.equal(appender.appendColumns(refs, Float64Array.of(1, 2, 3, 4), 4, START_MS, results), 2);
    assert.deepEqual(
      [...results],
      [AppendResult.ok, AppendResult.ok, AppendResult.outOfOrder, AppendResult.unknownRef],
    );
    await appender.commit();
    assert.deepEqual(await dump(db), {
      '{__name__="a"}': [[START_MS, '1']],
      '{__name__="b"}': [[START_MS + 10, '1']],
    });
  });

  it('shows nothing before commit and nothing after rollback', async () => {
    const appender = db.appender();
    const ref = appender.series(parse('m'));
    appender.append(ref, START_MS, 1);
    assert.deepEqual(await dump(db), {});
    appender.rollback();
    assert.deepEqual(await dump(db), {});
    assert.deepEqual(await write(db, [['m', START_MS, 2]]), [AppendResult.ok]);
  });

  it('keeps the first of two samples that one commit has for the same time', async () => {
    await write(db, [
      ['m', START_MS, 1],
      ['m', START_MS, 2],
      ['m', START_MS + 5, 3],
    ]);
    assert.deepEqual(await dump(db), {
      '{__name__="m"}': [
        [START_MS, '1'],
        [START_MS + 5, '3'],
      ],
    });
    assert.equal(db.stats().samplesDuplicate, 1);
  });

  it('keeps a stale marker a stale marker', async () => {
    await write(db, [
      ['m', START_MS, STALE_NAN],
      ['m', START_MS + 1, NaN],
    ]);
    assert.deepEqual(await dump(db), {
      '{__name__="m"}': [
        [START_MS, 'stale'],
        [START_MS + 1, 'NaN'],
      ],
    });
  });

  it('refuses series above the limit and goes on with those it has', async () => {
    const appender = db.appender();
    for (let i = 0; i < 1000; i++) appender.series(Labels.of({ i: String(i) }));
    assert.throws(() => appender.series(Labels.of({ i: 'more' })), { code: 'storage/series-limit' });
    assert.ok(appender.series(Labels.of({ i: '7' })) > 0);
    await appender.commit();
    assert.equal(db.stats().numSeries, 1000);
    assert.equal(db.stats().seriesRefused, 1);
    assert.throws(() => appender.series(Labels.EMPTY));
  });

  it('near the end of its memory refuses new series first, then whole commits, and logs nothing of those', async () => {
    const dir = temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
    const messages: string[] = [];
    const logger: Logger = {
      ...createLogger('silent'),
      error: (_, message) => void messages.push(message),
      child: () => logger,
    };
    const small = await open(dir, { clock, logger, limits: { headMemoryBytes: 2 << 20 } });
    const append = async (from: number, to: number, timeMs: number): Promise<void> => {
      const appender = small.appender();
      for (let i = from; i < to; i++) {
        appender.append(appender.series(Labels.of({ i: String(i) })), timeMs, 1 / timeMs);
      }
      await appender.commit();
    };
    let series = 0;
    await assert.rejects(
      async () => {
        for (;;) {
          await append(series, series + 100, START_MS);
          series += 100;
        }
      },
      { code: 'storage/series-limit' },
    );
    assert.ok(series > 1000);
    let last = START_MS;
    await assert.rejects(
      async () => {
        for (;;) {
          await append(0, series, last + 1000);
          last += 1000;
          assert.throws(() => small.appender().series(Labels.of({ i: 'new' })), { code: 'storage/series-limit' });
        }
      },
      { code: 'storage/head-full' },
    );
    assert.ok(last > START_MS, 'known series had a reserve');
    const { samplesRefused, seriesRefused, arenaUsedBytes } = small.stats();
    assert.equal(samplesRefused, series);
    assert.ok(seriesRefused > 1);
    assert.ok(arenaUsedBytes < 4 << 20, `${arenaUsedBytes} bytes`);
    assert.deepEqual(messages, [
      'the head is almost full: no new series are taken',
      'the head is full: no samples are taken',
    ]);
    const before = await dump(small);
    await small.close();
    const again = await open(dir, { clock });
    assert.deepEqual(await dump(again), before, 'what was refused is not in the log either');
    assert.equal(before['{i="0"}']!.at(-1)![0], last);
    await again.close();
  });

  it('treats __proto__ and constructor as labels like any other', async () => {
    const appender = db.appender();
    const labels = Labels.of([
      ['__proto__', 'constructor'],
      ['constructor', '__proto__'],
    ]);
    appender.append(appender.series(labels), START_MS, 1);
    await appender.commit();
    assert.deepEqual(Object.keys(await dump(db, [new Matcher('=', '__proto__', 'constructor')])), [labels.toString()]);
  });

  it('cuts a chunk at the block boundary, and after 120 samples on a steady interval', async () => {
    const steady = START_MS - (START_MS % 7_200_000);
    const appender = db.appender();
    const ref = appender.series(parse('m'));
    for (let i = 0; i < 600; i++) assert.equal(appender.append(ref, steady + i * 15_000, i), 0);
    await appender.commit();
    // 480 samples in the block of two hours: four chunks; then the next block.
    const querier = db.querier(0, 1e15);
    const set = await querier.select(false, { startMs: 0, endMs: 1e15 }, [new Matcher('=', '__name__', 'm')]);
    for await (const [series] of set.batches) {
      assert.ok('chunks' in series! && typeof series.chunks === 'function');
      const chunks = [...(series.chunks(0, 1e15) as Iterable<{ bytes: Uint8Array; minTimeMs: number }>)];
      assert.deepEqual(
        chunks.map(({ bytes, minTimeMs }) => [(bytes[0]! << 8) | bytes[1]!, (minTimeMs - steady) / 15_000]),
        [
          [120, 0],
          [120, 120],
          [120, 240],
          [120, 360],
          [120, 480],
        ],
      );
    }
  });
});
