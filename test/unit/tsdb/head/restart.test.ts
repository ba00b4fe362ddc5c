import assert from 'node:assert/strict';
import { appendFileSync, cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type FileSystem, nodeFileSystem, seededRandom } from '../../../../lib/env/index.ts';
import { type FloatHistogram, Labels, Matcher, SampleColumns, STALE_NAN } from '../../../../lib/model/index.ts';
import { AppendResult } from '../../../../lib/storage/index.ts';
import { encodeSamples } from '../../../../lib/chunk/encode.ts';
import { appendCommit, demoCommits, dumpOfCommits } from '../../../tools/demo-commits.ts';
import type { WrittenSeries } from '../../../tools/remote-write.ts';
import { type Dump, dumpOf } from '../../../tools/samples.ts';
import { START_MS, temporaryDirectory } from '../harness.ts';
import { HeadRig, type HeadRigOptions } from './rig.ts';

const SERIES = Labels.of({ __name__: 'm' });
const OTHER = Labels.of({ __name__: 'n' });
const ALL = [[new Matcher('=~', '__name__', '.+')]];

function histogram(count: number, integer = true): FloatHistogram {
  return {
    ...(integer ? { integer: true } : {}),
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.01,
    zeroCount: 0,
    count,
    sum: count,
    positiveSpans: [{ offset: 0, length: 1 }],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(count),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
  };
}

/** Samples of SERIES at START_MS plus each of the times, with these times as values. */
function at(...times: number[]): WrittenSeries[] {
  return times.map((time) => ({ labels: SERIES, samples: [[START_MS + time, time]] }));
}

/** So many samples, a second apart, from a time relative to START_MS on. */
function columnsFrom(from: number, count: number): SampleColumns {
  const columns = new SampleColumns();
  for (let i = 0; i < count; i++) columns.push(START_MS + from + i * 1000, i);
  return columns;
}

/** Times of SERIES, relative to START_MS. */
function times(dump: Dump): number[] {
  return (dump[SERIES.toString()] ?? []).map(([timeMs]) => timeMs - START_MS);
}

describe('tsdb: the head after a restart', function () {
  this.timeout(600_000);
  const cleanUps: (() => unknown)[] = [];
  let dir: string;
  beforeEach(() => {
    dir = temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  async function open(options: HeadRigOptions = {}, from = dir): Promise<HeadRig> {
    const rig = await HeadRig.open(from, options);
    cleanUps.push(() => rig.close());
    return rig;
  }

  /** Opens a copy of the files as they are now, as after `kill -9`. */
  async function reopen(options: HeadRigOptions = {}): Promise<HeadRig> {
    const copy = temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
    cpSync(dir, copy, { recursive: true });
    return open(options, copy);
  }

  const late = { windowMs: 3_600_000 };

  it('has every sample again: floats, histograms, with and without chunks on file', async () => {
    const commits = demoCommits({ random: seededRandom(11), startMs: START_MS, stepMs: 15_000, steps: 500 });
    const rig = await open();
    for (const [i, commit] of commits.entries()) {
      assert.equal(await appendCommit(rig, commit), 0);
      if (i === 200) await rig.mapper.run();
    }
    const expected = dumpOfCommits(commits);
    assert.deepEqual(await dumpOf(rig), expected);
    const again = await reopen();
    assert.ok(again.found.chunks > 20);
    assert.equal(again.unclaimed, 0);
    assert.equal(again.replay.unknownSeriesSamples, 0);
    assert.deepEqual(await dumpOf(again), expected);
    await again.mapper.run();
    assert.deepEqual(await dumpOf(again), expected, 'mapped, they read the same');
  });

  it('goes on where it was: the same samples are duplicates, older ones out of order', async () => {
    const rig = await open();
    await appendCommit(rig, [...at(10), { labels: OTHER, histograms: [[START_MS + 10, histogram(1)]] }]);
    const again = await reopen();
    const appender = again.appender();
    const m = appender.series(SERIES);
    const n = appender.series(OTHER);
    assert.equal(appender.append(m, START_MS + 10, 10), AppendResult.ok);
    assert.equal(appender.append(m, START_MS + 10, 11), AppendResult.duplicate);
    assert.equal(appender.append(m, START_MS + 9, 1), AppendResult.outOfOrder);
    assert.equal(appender.append(n, START_MS + 10, 1), AppendResult.duplicate);
    assert.equal(appender.appendHistogram(n, START_MS + 10, histogram(1)), AppendResult.ok);
    assert.equal(appender.appendHistogram(n, START_MS + 10, histogram(2)), AppendResult.duplicate);
    assert.equal(appender.appendHistogram(n, START_MS + 9, histogram(1)), AppendResult.outOfOrder);
    assert.equal(appender.appendHistogram(m, START_MS + 10, histogram(1)), AppendResult.duplicate);
    await appender.commit();
    assert.deepEqual(await dumpOf(again), await dumpOf(rig));
  });

  it('makes a stale marker one of the type that its series has', async () => {
    const rig = await open();
    await appendCommit(rig, [{ labels: SERIES, histograms: [[START_MS, histogram(1)]] }]);
    await appendCommit(rig, [{ labels: SERIES, samples: [[START_MS + 1, STALE_NAN]] }]);
    const kinds = (from: HeadRig): number[] => from.head.chunkReader.chunks(1, 0, 1e15).map(({ encoding }) => encoding);
    assert.deepEqual(kinds(rig), [2]);
    const again = await reopen();
    assert.deepEqual(kinds(again), [2]);
    assert.deepEqual(await dumpOf(again), await dumpOf(rig));
    assert.match((await dumpOf(rig))[SERIES.toString()]![1]![1], /stale/);
  });

  it('has exemplars, metadata and deletions again', async () => {
    const options = { maxExemplars: 10 };
    const rig = await open(options);
    const exemplar = { labels: Labels.of({ trace_id: 'x' }), value: 3, timestampMs: START_MS };
    const metadata = { type: 'counter', unit: 'seconds', help: 'Help.' };
    await appendCommit(rig, [
      { labels: SERIES, samples: [[START_MS, 1]], exemplars: [exemplar], metadata: { ...metadata, help: 'Old.' } },
      ...at(10, 20),
    ]);
    await appendCommit(rig, [{ labels: SERIES, metadata }]);
    const interval = { minTimeMs: START_MS + 5, maxTimeMs: START_MS + 15 };
    rig.wal.log({ tombstones: [{ ref: 1, interval }] });
    rig.head.tombstones.add(1, interval);
    assert.deepEqual(times(await dumpOf(rig)), [0, 20]);
    const again = await reopen(options);
    assert.deepEqual(times(await dumpOf(again)), [0, 20]);
    assert.deepEqual(again.head.metadata.get(1), metadata);
    const [found] = again.head.exemplars.exemplars(0, 1e15, ALL);
    assert.deepEqual(
      found!.exemplars.map(({ labels, value, timestampMs }) => [labels.toString(), value, timestampMs]),
      [[exemplar.labels.toString(), 3, START_MS]],
    );
  });

  it('logs metadata when it changes, and only then', async () => {
    const rig = await open();
    const metadata = { type: 'gauge', unit: '', help: 'Help.' };
    await appendCommit(rig, [{ labels: SERIES, metadata }]);
    const { bytesWritten } = rig.wal;
    await appendCommit(rig, [{ labels: SERIES, metadata: { ...metadata } }]);
    assert.equal(rig.wal.bytesWritten, bytesWritten);
  });

  it('takes samples out of order within the window, and tells why it refuses others', async () => {
    const rig = await open(late);
    await appendCommit(rig, at(3_600_000));
    const appender = rig.appender();
    const ref = appender.series(SERIES);
    assert.equal(appender.append(ref, START_MS, 0), AppendResult.ok);
    assert.equal(appender.append(ref, START_MS - 1, 0), AppendResult.tooOld);
    assert.equal(appender.appendHistogram(ref, START_MS + 1, histogram(1)), AppendResult.ok);
    assert.equal(appender.appendHistogram(ref, START_MS - 1, histogram(1)), AppendResult.tooOld);
    assert.equal(appender.append(ref, START_MS + 3_600_000, 1), AppendResult.duplicate);
    const results = new Uint8Array(2);
    const refs = Uint32Array.of(ref, appender.series(OTHER));
    assert.equal(appender.appendColumns(refs, Float64Array.of(5, 6), 2, START_MS + 5, results), 0);
    await appender.commit();
    assert.deepEqual(times(await dumpOf(rig)), [0, 1, 5, 3_600_000]);
    assert.deepEqual((await dumpOf(rig))[OTHER.toString()], [[START_MS + 5, '6']]);
    assert.equal(rig.head.outOfOrderAppended, 3);
    assert.equal(rig.head.appendCounts[AppendResult.tooOld], 2);
    assert.deepEqual(await dumpOf(await reopen(late)), await dumpOf(rig));
  });

  it('takes what one commit has in a wrong order', async () => {
    const rig = await open(late);
    await appendCommit(rig, at(50, 10, 60, 20));
    assert.deepEqual(times(await dumpOf(rig)), [10, 20, 50, 60]);
    assert.deepEqual(times(await dumpOf(await reopen(late))), [10, 20, 50, 60]);
    const strict = await open(
      {},
      temporaryDirectory((cleanUp) => cleanUps.push(cleanUp)),
    );
    await appendCommit(strict, at(50, 10, 60, 20));
    assert.deepEqual(times(await dumpOf(strict)), [50, 60]);
    assert.equal(strict.head.appendCounts[AppendResult.outOfOrder], 2);
  });

  it('takes what another commit has overtaken', async () => {
    const rig = await open(late);
    await appendCommit(rig, at(0));
    const appender = rig.appender();
    appender.append(appender.series(SERIES), START_MS + 10, 10);
    await appendCommit(rig, at(20));
    await appender.commit();
    assert.deepEqual(times(await dumpOf(rig)), [0, 10, 20]);
    assert.deepEqual(times(await dumpOf(await reopen(late))), [0, 10, 20]);
  });

  it('keeps out-of-order samples over restarts, each once, whether their chunks got to file or not', async () => {
    const rig = await open(late);
    await appendCommit(rig, at(3_000_000));
    const expected: number[] = [3_000_000];
    for (let i = 0; i < 100; i++) {
      await appendCommit(rig, at(10_000 + i * 10));
      expected.push(10_000 + i * 10);
    }
    expected.sort((a, b) => a - b);
    assert.deepEqual(times(await dumpOf(rig)), expected);
    const again = await reopen(late);
    assert.deepEqual(times(await dumpOf(again)), expected);
    // Three chunks of 32 are on file; what the log has of them besides is dropped by its markers.
    assert.deepEqual([again.head.outOfOrder.numChunks, again.head.outOfOrder.numUnmapped], [3, 0]);
  });

  it('takes from the log what was to be on file and is lost', async () => {
    const rig = await open(late);
    const commits = demoCommits({
      random: seededRandom(5),
      startMs: START_MS,
      stepMs: 15_000,
      steps: 300,
      seriesOfKind: 1,
    });
    for (const commit of commits) await appendCommit(rig, commit);
    await appendCommit(rig, at(4_000_000));
    for (let i = 0; i < 70; i++) assert.equal(await appendCommit(rig, at(2_000_000 + i)), 0);
    assert.equal(rig.head.outOfOrderAppended, 70);
    await rig.mapper.run();
    const expected = await dumpOf(rig);
    const copy = temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
    cpSync(dir, copy, { recursive: true });
    rmSync(join(copy, 'chunks_head'), { recursive: true });
    assert.deepEqual(await dumpOf(await open(late, copy)), expected);
  });

  it('leaves out what is in blocks already, and takes chunks on file for what they are', async () => {
    const rig = await open();
    for (let i = 0; i < 300; i++) await appendCommit(rig, at(i * 60_000));
    await rig.mapper.run();
    const minValidMs = START_MS + 200 * 60_000;
    const again = await reopen({ minValidMs });
    assert.equal(again.head.minTimeMs, START_MS + times(await dumpOf(again))[0]!);
    const found = times(await dumpOf(again));
    assert.ok(found[0]! <= 200 * 60_000 && found[0]! > 100 * 60_000, 'a chunk that reaches across comes whole');
    assert.equal(found.at(-1), 299 * 60_000);
    assert.equal(found.length, 300 - found[0]! / 60_000);
    const copy = temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
    cpSync(dir, copy, { recursive: true });
    rmSync(join(copy, 'chunks_head'), { recursive: true });
    const fromLog = times(await dumpOf(await open({ minValidMs }, copy)));
    assert.deepEqual([fromLog.length, fromLog[0]], [100, 200 * 60_000], 'from the log, to the sample');
  });

  it('knows a series that the log has under two refs, and where either has chunks on file', async () => {
    const rig = await open();
    for (let i = 0; i < 130; i++) await appendCommit(rig, at(i * 1000));
    await rig.mapper.run();
    // What another writer does: the series left its head and came back.
    rig.wal.log({
      series: { refs: [77], labelsOf: () => SERIES },
      metadata: [{ ref: 77, metadata: { type: 'gauge', unit: '', help: '' } }],
    });
    const again = await reopen();
    assert.equal(times(await dumpOf(again)).length, 130);
    assert.equal(again.head.metadata.get(1)?.type, 'gauge');
    assert.equal(again.replay.unknownSeriesSamples, 0);
    assert.ok(again.head.isInLog(1, 0));
  });

  it('puts the chunks that a series has under two refs in the order of their times, whichever comes first', async () => {
    const rig = await open();
    for (let i = 0; i < 130; i++) await appendCommit(rig, at(i * 1000));
    await rig.mapper.run();
    // What the log and the files look like when the series left the head, came back as 77 and, after a restart, went on as 1.
    const earlier = [-300_000, -200_000].map(
      (from) => encodeSamples(rig.head.kernels, columnsFrom(from, 50), 0, 50)[0]!,
    );
    for (const chunk of earlier) rig.writer.add(77, chunk, false);
    rig.writer.add(77, encodeSamples(rig.head.kernels, columnsFrom(50_500, 5), 0, 5)[0]!, false);
    rig.writer.flush();
    rig.wal.log({ series: { refs: [77], labelsOf: () => SERIES } });
    const again = await reopen();
    const found = times(await dumpOf(again));
    assert.deepEqual([found.length, found[0], found[50], found[100]], [230, -300_000, -200_000, 0]);
    assert.deepEqual(
      found,
      found.toSorted((a, b) => a - b),
    );
    assert.equal(again.head.minTimeMs, START_MS - 300_000);
    // The ref is taken, and the log needs it no longer than it has samples by it.
    const appender = again.appender();
    assert.ok(appender.series(OTHER) > 77);
    appender.rollback();
  });

  it('gives no new series the ref of one that is lost, whose samples a log or a file still has', async () => {
    const rig = await open(late);
    const [chunk] = encodeSamples(rig.head.kernels, columnsFrom(0, 5), 0, 5);
    rig.writer.add(40, chunk!, false);
    rig.writer.flush();
    rig.wbl.log({ mmapMarkers: [{ ref: 60, file: 0, offsetBytes: 0 }] });
    for (const [ref, log] of [
      [40, 'chunks_head'],
      [60, 'wbl'],
    ] as const) {
      const again = await reopen(late);
      const appender = again.appender();
      assert.ok(appender.series(OTHER) > ref, log);
      appender.rollback();
    }
  });

  it('counts what names a series that it does not know', async () => {
    const rig = await open(late);
    rig.wal.log({
      metadata: [{ ref: 5, metadata: { type: 'gauge', unit: '', help: '' } }],
      exemplars: [{ ref: 5, exemplar: { labels: Labels.EMPTY, value: 1, timestampMs: 1 } }],
      tombstones: [{ ref: 5, interval: { minTimeMs: 1, maxTimeMs: 2 } }],
    });
    rig.wbl.log({ mmapMarkers: [{ ref: 5, file: 0, offsetBytes: 0 }] });
    const again = await reopen(late);
    assert.equal(again.replay.unknownSeriesSamples, 4);
  });

  describe('when writing fails', () => {
    /** Fails the next writes to files below a directory. */
    function failing(): { fileSystem: FileSystem; fail: (part: string | undefined) => void } {
      let part: string | undefined;
      const paths = new Map<number, string>();
      const fileSystem: FileSystem = {
        ...nodeFileSystem,
        openSync: ((path: string, flags: string, mode?: number) => {
          if (part !== undefined && flags !== 'r' && path.includes(part)) throw new Error('ENOSPC');
          const file = nodeFileSystem.openSync(path, flags, mode);
          paths.set(file, path);
          return file;
        }) as FileSystem['openSync'],
        writeSync: ((file: number, ...rest: [Uint8Array, number, number, number]) => {
          if (part !== undefined && paths.get(file)!.includes(part)) throw new Error('ENOSPC');
          return nodeFileSystem.writeSync(file, ...rest);
        }) as FileSystem['writeSync'],
      };
      return { fileSystem, fail: (which) => (part = which) };
    }

    for (const log of ['wal', 'wbl']) {
      it(`to the ${log}, a commit leaves nothing behind, in memory or in either log`, async () => {
        const { fileSystem, fail } = failing();
        const rig = await open({ ...late, fileSystem });
        await appendCommit(rig, at(1000));
        const before = await dumpOf(rig);
        fail(`/${log}/`);
        const commit = [...at(2000, 500), { labels: OTHER, samples: [[START_MS + 1, 1]] as [number, number][] }];
        await assert.rejects(appendCommit(rig, commit), { code: 'storage/wal-write' });
        assert.deepEqual(await dumpOf(rig), before);
        assert.deepEqual(await dumpOf(await reopen(late)), before);
        fail(undefined);
        await appendCommit(rig, commit);
        assert.deepEqual(times(await dumpOf(rig)), [500, 1000, 2000]);
        assert.deepEqual(await dumpOf(await reopen(late)), await dumpOf(rig));
      });
    }

    it('to chunks_head, chunks stay in memory and get there later', async () => {
      const { fileSystem, fail } = failing();
      const rig = await open({ ...late, fileSystem });
      for (let i = 0; i < 250; i++) await appendCommit(rig, at(100_000 + i * 1000));
      for (let i = 0; i < 32; i++) await appendCommit(rig, at(i));
      const expected = times(await dumpOf(rig));
      fail('chunks_head');
      await rig.mapper.run();
      await appendCommit(rig, at(50));
      expected.splice(32, 0, 50);
      assert.deepEqual(times(await dumpOf(rig)), expected);
      assert.equal(rig.mapper.failures, 2);
      assert.deepEqual([rig.mapper.mapped, rig.head.outOfOrder.numUnmapped], [0, 1]);
      assert.deepEqual(times(await dumpOf(await reopen(late))), expected);
      fail(undefined);
      await rig.mapper.run();
      assert.equal(rig.mapper.mapped, 2);
      assert.deepEqual(times(await dumpOf(rig)), expected);
      const again = await reopen(late);
      assert.deepEqual(times(await dumpOf(again)), expected);
      assert.equal(again.found.chunks, 2);
    });
  });

  it('drops a torn chunk at the end of chunks_head and takes it from the log', async () => {
    const rig = await open();
    for (let i = 0; i < 260; i++) await appendCommit(rig, at(i * 1000));
    await rig.mapper.run();
    const expected = await dumpOf(rig);
    const copy = temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
    cpSync(dir, copy, { recursive: true });
    const [file] = readdirSync(join(copy, 'chunks_head'));
    appendFileSync(join(copy, 'chunks_head', file!), Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 5, 5, 5]));
    const again = await open({}, copy);
    assert.equal(again.found.damage.length, 1);
    assert.deepEqual(await dumpOf(again), expected);
  });
});
