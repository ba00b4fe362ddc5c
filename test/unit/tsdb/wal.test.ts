import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger, nodeFileSystem, seededRandom } from '../../../lib/env/index.ts';
import { Labels } from '../../../lib/model/index.ts';
import type { ReplayProgress, Tsdb, TsdbOptions } from '../../../lib/tsdb/index.ts';
import { crashCopy, type Dump, dump, faulty, open, START_MS, temporaryDirectory, TestClock, write } from './harness.ts';

type Write = (fd: number, bytes: Uint8Array, offset: number, length: number, position: number) => number;

function ioError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

describe('tsdb: the log', function () {
  this.timeout(600_000);
  const cleanUps: (() => unknown)[] = [];
  const directory = (): string => temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  const opened = async (dir: string, options?: Partial<TsdbOptions>): Promise<Tsdb> => {
    const db = await open(dir, options);
    cleanUps.push(() => db.close());
    return db;
  };
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  async function fill(db: Tsdb, commits: number, seriesCount = 5): Promise<void> {
    const random = seededRandom(2);
    for (let i = 0; i < commits; i++) {
      const rows: [string, number, number][] = [];
      for (let s = 0; s < seriesCount; s++)
        rows.push([`m i=${s} c=${s % 2 ? i % 3 : 0}`, START_MS + i * 1000, random()]);
      await write(db, rows);
    }
  }

  for (const walCompression of ['none', 'snappy'] as const) {
    it(`brings back every sample after a crash (${walCompression})`, async () => {
      const dir = directory();
      const db = await opened(dir, { walCompression });
      await fill(db, 300);
      const copy = directory();
      crashCopy(dir, copy);
      const again = await opened(copy);
      assert.deepEqual(await dump(again), await dump(db));
      assert.deepEqual(again.stats().replay.damage, []);
      // And once more, with samples in two segments and the same series logged under the same refs.
      await write(again, [
        ['m i=0 c=0', START_MS + 1e6, 5],
        ['new', START_MS + 1e6, 6],
      ]);
      const expected = await dump(again);
      await again.close();
      assert.deepEqual(await dump(await opened(copy)), expected);
    });

    it(`recovers exactly the commits before any truncation of the file (${walCompression})`, async () => {
      const dir = directory();
      const db = await opened(dir, { walCompression });
      const file = join(dir, 'wal', '00000000');
      /** After each commit: how long the file was, what was stored. */
      const states: { size: number; samples: Dump }[] = [{ size: 0, samples: {} }];
      for (let i = 0; i < 8; i++) {
        await write(db, [
          ['m a=1', START_MS + i, i],
          [`m b=${i}`, START_MS + i, -i],
        ]);
        states.push({ size: readFileSync(file).length, samples: await dump(db) });
      }
      const whole = readFileSync(file);
      // Every length there is: test/fault/corruption.test.ts.
      for (let length = 0; length <= whole.length; length += 7) {
        const copy = directory();
        mkdirSync(join(copy, 'wal'));
        writeFileSync(join(copy, 'wal', '00000000'), whole.subarray(0, length));
        const again = await open(copy);
        const state = states.findLast(({ size }) => size <= length)!;
        // A commit is one record of series and one of samples: the series may be there without their samples.
        assert.deepEqual(await dump(again), state.samples, `at ${length}`);
        await write(again, [['m a=1', START_MS + 100, 100]]);
        await again.close();
        const third = await open(copy);
        assert.deepEqual(third.stats().replay.damage, [], 'a repaired log reads clean');
        assert.deepEqual((await dump(third))['{__name__="m", a="1"}']?.at(-1), [START_MS + 100, '100']);
        await third.close();
      }
    });
  }

  it('loses at most one commit to a flipped bit, says so and keeps the damaged file', async () => {
    const dir = directory();
    const db = await opened(dir, { walCompression: 'none' });
    await write(db, [['m a=1', START_MS - 1, 0]]);
    const afterSeries = readFileSync(join(dir, 'wal', '00000000')).length;
    for (let i = 0; i < 20; i++) await write(db, [['m a=1', START_MS + i, i]]);
    const whole = readFileSync(join(dir, 'wal', '00000000'));
    const complete = (await dump(db))['{__name__="m", a="1"}']!;
    for (let bit = afterSeries * 8; bit < whole.length * 8; bit += 37) {
      const hurt = Buffer.from(whole);
      hurt[bit >>> 3]! ^= 1 << (bit & 7);
      const copy = directory();
      mkdirSync(join(copy, 'wal'));
      writeFileSync(join(copy, 'wal', '00000000'), hurt);
      const again = await open(copy);
      const { damage } = again.stats().replay;
      assert.ok(damage.length > 0, `bit ${bit} went unnoticed`);
      const samples = (await dump(again))['{__name__="m", a="1"}']!;
      const lostFrom = complete.findIndex(([time], i) => samples[i]?.[0] !== time);
      for (const sample of samples)
        assert.ok(complete.some(([time, value]) => time === sample[0] && value === sample[1]));
      // A wrong length hides where the next record begins: then the rest of the page is lost, and that is said.
      const hitsLength = [1, 2].includes(((bit >>> 3) - afterSeries) % ((whole.length - afterSeries) / 20));
      const hitsType = ((bit >>> 3) - afterSeries) % ((whole.length - afterSeries) / 20) === 0;
      if (!hitsLength && !hitsType) assert.equal(samples.length, complete.length - 1, `bit ${bit}, from ${lostFrom}`);
      for (const { keptAs } of damage) if (keptAs !== undefined) assert.deepEqual(readFileSync(keptAs), hurt);
      const sized = damage.every(({ offsetBytes, lostBytes }) => offsetBytes + lostBytes <= whole.length);
      assert.ok(sized);
      await again.close();
      const third = await open(copy);
      assert.deepEqual(third.stats().replay.damage, []);
      await third.close();
    }
  });

  it('goes on at the next page behind a page that is destroyed, also within a long record', async () => {
    const dir = directory();
    const db = await opened(dir, { walCompression: 'none' });
    const appender = db.appender();
    const refs = Uint32Array.from({ length: 6000 }, (_, i) => appender.series(Labels.of({ i: String(i) })));
    await appender.commit();
    const values = new Float64Array(6000);
    for (let i = 0; i < 6; i++) {
      const scrape = db.appender();
      scrape.appendColumns(refs, values.fill(i), 6000, START_MS + i, new Uint8Array(6000));
      await scrape.commit();
    }
    const copy = directory();
    crashCopy(dir, copy);
    const file = join(copy, 'wal', '00000000');
    const bytes = readFileSync(file);
    const page = Math.floor((bytes.length * 0.6) / 32_768);
    bytes.fill(0xee, page * 32_768, (page + 1) * 32_768);
    writeFileSync(file, bytes);
    const again = await opened(copy);
    const { damage } = again.stats().replay;
    assert.ok(damage.length >= 1);
    const times = Object.values(await dump(again)).map((samples) => samples.length);
    assert.equal(times.length, 6000);
    assert.ok(
      times.every((count) => count >= 4 && count < 6),
      `${Math.min(...times)}..${Math.max(...times)}`,
    );
    assert.ok(existsSync(join(copy, 'corrupt', 'wal-00000000')));
  });

  const faults: {
    name: string;
    writeSync: (real: Write) => Write;
  }[] = [
    {
      name: 'a full disk',
      writeSync: () => (): never => {
        throw ioError('ENOSPC');
      },
    },
    {
      name: 'a disk that fills up within the write',
      writeSync: (real) => {
        let calls = 0;
        return (fd, bytes, offset, length, position) => {
          if (calls++ > 0) throw ioError('ENOSPC');
          return real(fd, bytes, offset, Math.max(1, length >>> 1), position);
        };
      },
    },
    {
      name: 'an I/O error after all bytes were taken',
      writeSync: (real) => (fd, bytes, offset, length, position) => {
        real(fd, bytes, offset, length, position);
        throw ioError('EIO');
      },
    },
  ];
  for (const { name, writeSync } of faults) {
    for (const truncates of [true, false]) {
      it(`leaves nothing of a commit that meets ${name}${truncates ? '' : ', even when cutting back fails too'}`, async () => {
        const dir = directory();
        let failing = false;
        const faultyWrite = writeSync(nodeFileSystem.writeSync);
        const db = await opened(dir, {
          fileSystem: faulty({
            writeSync: ((...args: Parameters<Write>) =>
              (failing ? faultyWrite : nodeFileSystem.writeSync)(...args)) as typeof nodeFileSystem.writeSync,
            ftruncateSync: (fd, length) => {
              if (!truncates) throw ioError('EIO');
              nodeFileSystem.ftruncateSync(fd, length);
            },
          }),
        });
        await write(db, [['m a=1', START_MS, 1]]);
        failing = true;
        await assert.rejects(
          write(db, [
            ['m a=1', START_MS + 1, 2],
            ['new', START_MS + 1, 2],
          ]),
          {
            code: 'storage/wal-write',
          },
        );
        failing = false;
        assert.deepEqual(await dump(db), { '{__name__="m", a="1"}': [[START_MS, '1']] });
        await write(db, [
          ['m a=1', START_MS + 2, 3],
          ['new', START_MS + 2, 3],
        ]);
        const expected = await dump(db);
        assert.equal(Object.keys(expected).length, 2);
        const copy = directory();
        crashCopy(dir, copy);
        const again = await opened(copy);
        // What was taken whole before the error cannot be told from a good record when cutting back failed too.
        const kept = !truncates && name.startsWith('an I/O error') ? 3 : 2;
        const samples = await dump(again);
        assert.equal(samples['{__name__="m", a="1"}']!.length, kept);
        if (kept === 2) assert.deepEqual(samples, expected);
        assert.equal(db.stats().walWriteFailures, 1);
      });
    }
  }

  it('writes all of a commit though the system takes it in small pieces', async () => {
    const dir = directory();
    const db = await opened(dir, {
      fileSystem: faulty({
        writeSync: ((fd: number, bytes: Uint8Array, offset: number, length: number, position: number) =>
          nodeFileSystem.writeSync(
            fd,
            bytes,
            offset,
            Math.min(length, 13),
            position,
          )) as typeof nodeFileSystem.writeSync,
      }),
    });
    await fill(db, 10);
    const copy = directory();
    crashCopy(dir, copy);
    assert.deepEqual(await dump(await opened(copy)), await dump(db));
  });

  it('fsyncs on its interval when there is something to sync, and goes to a new segment when that fails', async () => {
    const clock = new TestClock();
    let broken = false;
    let calls = 0;
    const db = await opened(directory(), {
      clock,
      fileSystem: faulty({
        fdatasync: ((_fd: number, done: (error: Error | null) => void) => {
          calls++;
          done(broken ? ioError('EIO') : null);
        }) as typeof nodeFileSystem.fdatasync,
      }),
    });
    clock.fire();
    await new Promise(setImmediate);
    assert.equal(calls, 0);
    await write(db, [['m', START_MS, 1]]);
    clock.fire();
    await new Promise(setImmediate);
    assert.equal(calls, 1);
    broken = true;
    await write(db, [['m', START_MS + 1, 1]]);
    clock.fire();
    await new Promise(setImmediate);
    assert.equal(db.stats().walFsyncFailures, 1);
    assert.equal(db.stats().walSegment, 0);
    broken = false;
    await write(db, [['m', START_MS + 2, 1]]);
    assert.equal(db.stats().walSegment, 1);
  });

  it('skips records of kinds that nobody knows, and counts them', async () => {
    const dir = directory();
    mkdirSync(join(dir, 'wal'));
    const { Framer } = await import('../../../lib/tsdb/wal/framer.ts');
    const { createKernels } = await import('../../../lib/kernels/index.ts');
    const kernels = createKernels();
    const framer = new Framer(kernels);
    framer.begin(0);
    const record = kernels.arena.allocate(16);
    for (const type of [77, 200]) {
      kernels.arena.u8[record] = type;
      framer.add(record, 9, 0);
    }
    writeFileSync(join(dir, 'wal', '00000000'), framer.bytes);
    const { replay } = (await opened(dir)).stats();
    assert.deepEqual(replay.skippedRecords, { unknown: 2 });
    assert.deepEqual(replay.damage, []);
  });

  it('lets other work run while it is replayed, and says how far it is', async () => {
    const dir = directory();
    for (let segment = 0; segment < 3; segment++) {
      const db = await open(dir, { walCompression: 'none' });
      for (let commit = 0; commit < 200; commit++) {
        const rows = Array.from({ length: 50 }, (_, i): [string, number, number] => {
          return [`m i=${i}`, START_MS + segment * 1000 + commit, Math.sqrt(commit + i)];
        });
        await write(db, rows);
      }
      await db.close();
    }
    // Each look at the clock is a second later: a pause after every page.
    let seconds = 0;
    const clock = Object.assign(new TestClock(), { monotonicMs: () => ++seconds * 1000 });
    const progress: ReplayProgress[] = [];
    const logged: object[] = [];
    const logger = { ...createLogger('silent'), info: (fields: object) => void logged.push(fields) };
    let turns = 0;
    let opening = true;
    const turn = (): void => {
      turns++;
      if (opening) setImmediate(turn);
    };
    setImmediate(turn);
    const db = await opened(dir, { clock, logger, onReplayProgress: (at) => progress.push(at) });
    opening = false;
    assert.ok(turns > 10, `${turns} turns`);
    assert.deepEqual([...new Set(progress.map(({ segment }) => segment))], [0, 1, 2]);
    assert.ok(progress.every(({ firstSegment, lastSegment }) => firstSegment === 0 && lastSegment === 2));
    assert.ok(progress.length > 3, 'within a segment too');
    assert.ok(progress.every(({ samples }, i) => i === 0 || samples >= progress[i - 1]!.samples));
    assert.equal(progress.at(-1)!.samples, 30_000);
    assert.ok(logged.some((fields) => 'lastSegment' in fields));
    const copy = directory();
    crashCopy(dir, copy);
    assert.deepEqual(await dump(db), await dump(await opened(copy)));
  });

  it('starts a new segment at each opening, and leaves other files alone', async () => {
    const dir = directory();
    await (await open(dir)).close();
    writeFileSync(join(dir, 'wal', 'notes.txt'), 'mine');
    await (await open(dir)).close();
    assert.deepEqual(readdirSync(join(dir, 'wal')).sort(), ['00000000', '00000001', 'notes.txt']);
  });

  it('refuses a directory that is open, here or in another process, but not one whose holder is gone', async () => {
    const dir = directory();
    const db = await opened(dir);
    await assert.rejects(open(dir), { code: 'storage/locked' });
    await db.close();
    writeFileSync(join(dir, 'lock'), `${process.ppid} -\n`);
    await assert.rejects(open(dir), { code: 'storage/locked' });
    writeFileSync(join(dir, 'lock'), '4194303 1\n');
    await (await opened(dir)).close();
    assert.equal(existsSync(join(dir, 'lock')), false);
  });
});
