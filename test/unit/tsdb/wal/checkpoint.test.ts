import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type FileSystem, nodeFileSystem, seededRandom } from '../../../../lib/env/index.ts';
import { Labels } from '../../../../lib/model/index.ts';
import {
  type CheckpointOptions,
  type CheckpointReport,
  checkpointTarget,
  writeCheckpoint,
} from '../../../../lib/tsdb/wal/checkpoint.ts';
import type { WalCommit } from '../../../../lib/tsdb/wal/commit.ts';
import { KeptSeries } from '../../../../lib/tsdb/wal/kept-series.ts';
import { type Fault, faultAt } from '../../../fault/faults.ts';
import { Machine } from '../../../fault/file-system.ts';
import { temporaryDirectory } from '../environment.ts';
import type { CheckpointWork } from './checkpoint-worker.ts';
import { kernels, logWriter, readLog, type Row, rowsOf, samplesOf, seriesOf, silent } from './log.ts';
import { RandomCommits } from './random-commit.ts';

const MINT_MS = 0;
const keepEven = (ref: number): boolean => ref % 2 === 0;

/** What a checkpoint of these rows must hold, in order; the newest metadata comes last. */
function filtered(rows: readonly Row[]): Row[] {
  const latest = new Map<number, Row>();
  const kept = rows.filter((row) => {
    const [kind, ref, first, second] = row;
    switch (kind) {
      case 'series':
        return keepEven(ref);
      case 'sample':
      case 'histogram':
      case 'exemplar':
        return (first as number) >= MINT_MS;
      case 'tombstone':
        return keepEven(ref) && (second as number) >= MINT_MS;
      case 'metadata':
        if (keepEven(ref)) latest.set(ref, row);
        return false;
      default:
        return false;
    }
  });
  return [...kept, ...latest.values()];
}

/** Rows of a kind, whatever the order of kinds. */
function byKind(rows: readonly Row[]): Record<string, Row[]> {
  const kinds: Record<string, Row[]> = {};
  for (const row of rows) (kinds[row[0]] ??= []).push(row);
  kinds['metadata']?.sort((a, b) => a[1] - b[1]);
  return kinds;
}

describe('tsdb: log checkpoints', function () {
  this.timeout(600_000);
  const cleanUps: (() => unknown)[] = [];
  const directory = (): string => temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  function optionsFor(dir: string, lastSegment: number, more: Partial<CheckpointOptions> = {}): CheckpointOptions {
    return {
      dir: join(dir, 'wal'),
      corruptDir: join(dir, 'corrupt'),
      fileSystem: nodeFileSystem,
      kernels,
      logger: silent,
      monotonicMs: () => performance.now(),
      lastSegment,
      keep: keepEven,
      mintMs: MINT_MS,
      compress: true,
      ...more,
    };
  }

  /** Writes `segments` segments of random commits. @returns the rows of each */
  async function fill(dir: string, segments: number, seed: number, fileSystem?: FileSystem): Promise<Row[][]> {
    const random = new RandomCommits(seededRandom(seed));
    const writer = logWriter(dir, fileSystem && { fileSystem });
    const rows: Row[][] = [];
    for (let segment = 0; segment < segments; segment++) {
      const commits: WalCommit[] = Array.from({ length: 5 }, () => {
        const { mmapMarkers: _, ...commit } = random.commit();
        return commit;
      });
      for (const commit of commits) writer.log(commit);
      rows.push(commits.flatMap(rowsOf));
      if (segment < segments - 1) writer.nextSegment();
    }
    await writer.close();
    return rows;
  }

  it('hold what is still needed, and replace what they were made of', async () => {
    const dir = directory();
    const rows = await fill(dir, 6, 1);
    const report = await writeCheckpoint(optionsFor(dir, 2));
    assert.deepEqual(readdirSync(join(dir, 'wal')).sort(), ['00000003', '00000004', '00000005', 'checkpoint.00000002']);
    const kept = filtered(rows.slice(0, 3).flat());
    const rest = rows.slice(3).flat();
    const read = await readLog(dir);
    assert.deepEqual(read.report.damage, []);
    assert.deepEqual(
      read.rows.slice(0, kept.length - byKind(kept)['metadata']!.length),
      kept.filter(([kind]) => kind !== 'metadata'),
    );
    assert.deepEqual(byKind(read.rows.slice(0, kept.length)), byKind(kept));
    assert.deepEqual(read.rows.slice(kept.length), rest);
    const counted = Object.fromEntries(
      (['series', 'exemplars', 'metadata', 'tombstones'] as const).map((kind) => [kind, report[kind]]),
    );
    for (const [kind, { kept: keptRows, dropped }] of Object.entries(counted)) {
      const name = kind === 'series' || kind === 'metadata' ? kind : kind.slice(0, -1);
      assert.equal(keptRows, byKind(kept)[name]!.length, kind);
      assert.equal(keptRows + dropped, byKind(rows.slice(0, 3).flat())[name]!.length, kind);
      assert.ok(dropped > 0 && keptRows > 0, kind);
    }

    // A second one is made of the first and of what follows.
    await writeCheckpoint(optionsFor(dir, 4));
    assert.deepEqual(readdirSync(join(dir, 'wal')).sort(), ['00000005', 'checkpoint.00000004']);
    const again = await readLog(dir);
    const all = filtered(rows.slice(0, 5).flat());
    assert.deepEqual(byKind(again.rows.slice(0, all.length)), byKind(all));
    assert.deepEqual(again.rows.slice(all.length), rows[5]);
  });

  it('take the lower two thirds of complete segments, if that is more than one', () => {
    assert.equal(checkpointTarget([]), undefined);
    assert.equal(checkpointTarget([4]), undefined);
    assert.equal(checkpointTarget([4, 5, 6]), undefined);
    assert.equal(checkpointTarget([4, 5, 6, 7]), 5);
    assert.equal(checkpointTarget([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), 6);
  });

  it('spread over segments of limited size', async () => {
    const dir = directory();
    const writer = logWriter(dir, { compress: false });
    const commit = {
      series: seriesOf([[2, Labels.of({ a: 'b' })]]),
      samples: samplesOf(Array.from({ length: 60_000 }, (_, i) => [2, i, Math.sqrt(i)] as const)),
    };
    for (let i = 0; i < 10; i++) writer.log(commit);
    writer.nextSegment();
    await writer.close();
    const before = await readLog(dir);
    await writeCheckpoint(optionsFor(dir, 0, { compress: false, segmentBytes: 3 << 20 }));
    const parts = readdirSync(join(dir, 'wal', 'checkpoint.00000000'));
    assert.ok(parts.length > 2, `${parts.length} segments`);
    assert.deepEqual((await readLog(dir)).rows, before.rows);
  });

  it('let other work run while they are written', async () => {
    const dir = directory();
    await fill(dir, 40, 2);
    let nowMs = 0;
    let turns = 0;
    let writing = true;
    const turn = (): void => {
      turns++;
      if (writing) setImmediate(turn);
    };
    setImmediate(turn);
    await writeCheckpoint(optionsFor(dir, 38, { monotonicMs: () => (nowMs += 10) }));
    writing = false;
    assert.ok(turns > 39, `${turns} turns`);
  });

  it('keep aside what is damaged, and hold the rest', async () => {
    const dir = directory();
    await fill(dir, 3, 3);
    const path = join(dir, 'wal', '00000000');
    const bytes = readFileSync(path);
    bytes[bytes.length >>> 1]! ^= 4;
    writeFileSync(path, bytes);
    const before = await readLog(dir, { lastSegment: 1 });
    assert.ok(before.report.damage.length > 0);
    const report = await writeCheckpoint(optionsFor(dir, 1));
    assert.ok(report.damage.length > 0);
    assert.deepEqual(readFileSync(report.damage[0]!.keptAs!), bytes);
    const kept = filtered(before.rows);
    const { rows } = await readLog(dir, { lastSegment: 1 });
    assert.deepEqual(byKind(rows), byKind(kept));
  });

  it('are not written where one is already, and finish what an interrupted deletion left', async () => {
    const dir = directory();
    await fill(dir, 6, 4);
    const copy = directory();
    cpSync(join(dir, 'wal'), join(copy, 'wal'), { recursive: true });
    await writeCheckpoint(optionsFor(dir, 2));
    await assert.rejects(writeCheckpoint(optionsFor(dir, 2)), { code: 'storage/checkpoint' });
    cpSync(join(copy, 'wal', '00000001'), join(dir, 'wal', '00000001'));
    cpSync(join(copy, 'wal', '00000002'), join(dir, 'wal', '00000002'));
    const before = await readLog(dir);
    await writeCheckpoint(optionsFor(dir, 4));
    assert.deepEqual(readdirSync(join(dir, 'wal')).sort(), ['00000005', 'checkpoint.00000004']);
    assert.deepEqual(byKind(filtered((await readLog(dir)).rows)), byKind(filtered(before.rows)));
  });

  it('that were interrupted are removed at the next opening', async () => {
    const dir = directory();
    const rows = await fill(dir, 2, 5);
    mkdirSync(join(dir, 'wal', 'checkpoint.00000000.tmp'));
    writeFileSync(join(dir, 'wal', 'checkpoint.00000000.tmp', '00000000'), 'half');
    assert.deepEqual((await readLog(dir, { damaged: 'repair' })).rows, rows.flat());
    assert.equal(existsSync(join(dir, 'wal', 'checkpoint.00000000.tmp')), false);
  });

  it('leave a log that reads the same, whatever fails or ends while they are written', async () => {
    const blank = new Machine();
    blank.boot().mkdirSync('/data/wal', { recursive: true });
    const written = await fill('/data', 5, 11, blank.boot());
    const fileSystem = blank.boot();
    const files = fileSystem
      .readdirSync('/data/wal')
      .map((name) => [`/data/wal/${name}`, fileSystem.readFileSync(`/data/wal/${name}`)] as const);
    const before = written.flat();
    const after = [...filtered(written.slice(0, 3).flat()), ...written.slice(3).flat()];
    const machineWithLog = (): Machine => {
      const machine = new Machine();
      machine.put(files);
      return machine;
    };
    const write = (machine: Machine): Promise<unknown> =>
      writeCheckpoint(optionsFor('/data', 2, { fileSystem: machine.boot() }));

    const clean = machineWithLog();
    await write(clean);
    const calls = clean.trace.length;
    assert.ok(calls > 7);
    const seen = new Set<string>();
    const faults: Fault[] = [
      { kind: 'ENOSPC' },
      { kind: 'EIO', taken: 0.5 },
      { kind: 'EIO', afterwards: true },
      { kind: 'die', taken: 0.3 },
      { kind: 'die', afterwards: true },
    ];
    for (const fault of faults) {
      for (let call = 0; call < calls; call++) {
        for (const power of [true, false]) {
          const machine = machineWithLog();
          machine.plan = faultAt(call, fault);
          await write(machine).catch(() => {});
          machine.plan = undefined;
          if (!power) machine.losePower(seededRandom(call));
          const when = `${JSON.stringify(fault)} at call ${call}, ${power ? 'power stays' : 'power is lost'}`;
          const { rows, report } = await readLog('/data', { fileSystem: machine.boot(), damaged: 'repair' });
          assert.deepEqual(report.damage, [], when);
          const isAfter = rows.length === after.length;
          assert.deepEqual(byKind(rows), byKind(isAfter ? after : before), when);
          seen.add(isAfter ? 'after' : 'before');
          // The next attempt brings it to an end.
          if (!isAfter) await write(machine);
          assert.deepEqual(byKind((await readLog('/data', { fileSystem: machine.boot() })).rows), byKind(after), when);
        }
      }
    }
    assert.deepEqual([...seen].sort(), ['after', 'before']);
  });

  it('are the same when another thread writes them', async () => {
    const dir = directory();
    const rows = await fill(dir, 6, 6);
    const copy = directory();
    cpSync(join(dir, 'wal'), join(copy, 'wal'), { recursive: true });
    const kept = new KeptSeries();
    for (const [, ref] of rows.flat()) if (keepEven(ref) && ref < 100_000) kept.add(ref);
    const here = await writeCheckpoint(optionsFor(dir, 3, { keep: (ref) => kept.has(ref) }));
    const workerData: CheckpointWork = {
      dir: join(copy, 'wal'),
      corruptDir: join(copy, 'corrupt'),
      lastSegment: 3,
      mintMs: MINT_MS,
      kept: kept.words,
    };
    const worker = new Worker(new URL('checkpoint-worker.ts', import.meta.url), { workerData });
    const [there] = (await once(worker, 'message')) as [CheckpointReport];
    assert.deepEqual({ ...there, durationMs: 0 }, { ...here, durationMs: 0 });
    assert.deepEqual(readdirSync(join(copy, 'wal')).sort(), readdirSync(join(dir, 'wal')).sort());
    const file = join('wal', 'checkpoint.00000003', '00000000');
    assert.deepEqual(readFileSync(join(copy, file)), readFileSync(join(dir, file)));
  });

  it('know their series by a set of bits that another thread can be given', () => {
    const kept = new KeptSeries();
    const refs = [1, 31, 32, 33, 65_536, 1_000_000, 2 ** 32 - 1];
    for (const ref of refs.slice(0, -1)) kept.add(ref);
    const sent = new KeptSeries(structuredClone(kept.words));
    assert.deepEqual(
      refs.filter((ref) => sent.has(ref)),
      refs.slice(0, -1),
    );
    for (const ref of [2, 30, 34, 65_535, 999_999]) assert.equal(sent.has(ref), false);
  });
});
