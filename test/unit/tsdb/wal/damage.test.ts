import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { nodeFileSystem, seededRandom } from '../../../../lib/env/index.ts';
import { Machine } from '../../../fault/file-system.ts';
import { faulty, temporaryDirectory } from '../environment.ts';
import { logWriter, readLog, type Row, rowsOf } from './log.ts';
import { RandomCommits } from './random-commit.ts';

describe('tsdb: a damaged log', function () {
  this.timeout(600_000);
  const cleanUps: (() => unknown)[] = [];
  const directory = (): string => temporaryDirectory((cleanUp) => cleanUps.push(cleanUp));
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  });

  /** Writes segments of two commits each. @returns their rows */
  async function fill(dir: string, segments: number, seed = 1): Promise<Row[][]> {
    const random = new RandomCommits(seededRandom(seed));
    const writer = logWriter(dir);
    const rows: Row[][] = [];
    for (let segment = 0; segment < segments; segment++) {
      const commits = [random.commit(), random.commit()];
      for (const commit of commits) writer.log(commit);
      rows.push(commits.flatMap(rowsOf));
      if (segment < segments - 1) writer.nextSegment();
    }
    await writer.close();
    return rows;
  }

  const inWal = (dir: string, name: string): string => join(dir, 'wal', name);

  it('goes on behind segments that are missing, says so, and leaves no gap for other readers', async () => {
    const dir = directory();
    const rows = await fill(dir, 6);
    rmSync(inWal(dir, '00000001'));
    rmSync(inWal(dir, '00000003'));
    rmSync(inWal(dir, '00000004'));
    const { rows: read, report } = await readLog(dir, { damaged: 'repair' });
    assert.deepEqual(read, [rows[0], rows[2], rows[5]].flat());
    assert.deepEqual(
      report.damage.map(({ file, reason }) => [file.slice(-8), reason]),
      [
        ['00000001', 'the segment is missing'],
        ['00000003', 'segments are missing up to 00000004'],
      ],
    );
    const again = await readLog(dir, { damaged: 'repair' });
    assert.deepEqual([again.rows, again.report.damage], [read, []]);
    assert.deepEqual(
      readdirSync(join(dir, 'wal')).sort(),
      ['0', '1', '2', '3', '4', '5'].map((index) => `0000000${index}`),
    );
  });

  it('does not mind that the first segments were deleted, but that those behind a checkpoint were', async () => {
    const dir = directory();
    const rows = await fill(dir, 4);
    rmSync(inWal(dir, '00000000'));
    assert.deepEqual((await readLog(dir)).report.damage, []);
    mkdirSync(inWal(dir, 'checkpoint.00000000'));
    assert.deepEqual((await readLog(dir)).report.damage, []);
    rmSync(inWal(dir, '00000001'));
    const { rows: read, report } = await readLog(dir);
    assert.deepEqual(read, rows.slice(2).flat());
    assert.equal(report.damage.length, 1);
  });

  it('is read, but for a gap too wide to fill, with segments far apart', async () => {
    const dir = directory();
    const rows = await fill(dir, 2);
    renameSync(inWal(dir, '00000001'), inWal(dir, '999999999999'));
    for (let opening = 0; opening < 2; opening++) {
      const { rows: read, report } = await readLog(dir, { damaged: 'repair' });
      assert.deepEqual(read, rows.flat());
      assert.equal(report.damage.length, 1);
      assert.equal(report.lastSegment, 999_999_999_999);
    }
    assert.equal(readdirSync(join(dir, 'wal')).length, 2);
  });

  it('gives swapped segments in their new order, whole', async () => {
    const dir = directory();
    const rows = await fill(dir, 3);
    renameSync(inWal(dir, '00000000'), inWal(dir, 'x'));
    renameSync(inWal(dir, '00000001'), inWal(dir, '00000000'));
    renameSync(inWal(dir, 'x'), inWal(dir, '00000001'));
    const { rows: read, report } = await readLog(dir, { damaged: 'repair' });
    assert.deepEqual(read, [rows[1], rows[0], rows[2]].flat());
    assert.deepEqual(report.damage, []);
  });

  for (const where of ['the last segment', 'another segment'] as const) {
    it(`takes zeros at the end of ${where} for space that was never written`, async () => {
      const dir = directory();
      const rows = await fill(dir, 2);
      const path = inWal(dir, where === 'the last segment' ? '00000001' : '00000000');
      const bytes = readFileSync(path);
      for (const zeros of [1, 7, 32_768, 100_000]) {
        writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(zeros)]));
        const { rows: read, report } = await readLog(dir, { damaged: 'repair' });
        assert.deepEqual([read, report.damage], [rows.flat(), []]);
      }
    });
  }

  it('loses what power loss turned to zeros, at any length', async () => {
    const dir = directory();
    const rows = await fill(dir, 1);
    const path = inWal(dir, '00000000');
    const bytes = readFileSync(path);
    for (let length = 0; length < bytes.length; length += 13) {
      const copy = directory();
      mkdirSync(join(copy, 'wal'));
      writeFileSync(inWal(copy, '00000000'), Buffer.from(bytes).fill(0, length));
      const { rows: read } = await readLog(copy, { damaged: 'repair' });
      assert.deepEqual(read, rows.flat().slice(0, read.length));
      assert.deepEqual((await readLog(copy)).report.damage, []);
      for (const cleanUp of cleanUps.splice(-1)) await cleanUp();
    }
  });

  const places: { name: string; make: (path: string, dir: string) => void }[] = [
    { name: 'a directory', make: (path) => mkdirSync(path) },
    { name: 'a link that leads nowhere', make: (path) => symlinkSync('/nowhere', path) },
    { name: 'a link to a directory', make: (path, dir) => symlinkSync(dir, path) },
    { name: 'a link to an endless device', make: (path) => symlinkSync('/dev/zero', path) },
    { name: 'a link to itself', make: (path) => symlinkSync(path, path) },
  ];
  for (const { name, make } of places) {
    it(`puts ${name} away where a segment belongs, and goes on behind it`, async () => {
      const dir = directory();
      const rows = await fill(dir, 3);
      const path = inWal(dir, '00000001');
      rmSync(path);
      make(path, dir);
      assert.ok((await readLog(dir)).report.damage.length > 0);
      assert.ok(lstatSync(path), 'who only looks changes nothing');
      const { rows: read, report } = await readLog(dir, { damaged: 'repair' });
      assert.deepEqual(read, [rows[0], rows[2]].flat());
      assert.equal(report.damage[0]!.keptAs, join(dir, 'corrupt', 'wal-00000001'));
      assert.ok(lstatSync(join(dir, 'corrupt', 'wal-00000001')));
      assert.deepEqual((await readLog(dir, { damaged: 'repair' })).report.damage, []);
    });
  }

  it('follows a link to a segment, and repairs it without writing through the link', async () => {
    const dir = directory();
    const rows = await fill(dir, 2);
    const path = inWal(dir, '00000001');
    const elsewhere = join(directory(), 'segment');
    renameSync(path, elsewhere);
    symlinkSync(elsewhere, path);
    assert.deepEqual((await readLog(dir, { damaged: 'repair' })).rows, rows.flat());
    const torn = readFileSync(elsewhere).subarray(0, -1);
    writeFileSync(elsewhere, torn);
    assert.equal((await readLog(dir, { damaged: 'repair' })).report.damage.length, 1);
    assert.deepEqual(readFileSync(elsewhere), torn);
    const hurt = Buffer.from(torn);
    hurt[3]! ^= 1;
    writeFileSync(elsewhere, hurt);
    const { rows: read } = await readLog(dir, { damaged: 'repair' });
    assert.deepEqual(readFileSync(elsewhere), hurt);
    assert.equal(lstatSync(path).isSymbolicLink(), false);
    const again = await readLog(dir, { damaged: 'repair' });
    assert.deepEqual([again.rows, again.report.damage], [read, []]);
  });

  it('has files where checkpoints belong put away', async () => {
    const dir = directory();
    const rows = await fill(dir, 2);
    writeFileSync(inWal(dir, 'checkpoint.00000000'), 'no directory');
    const { rows: read, report } = await readLog(dir, { damaged: 'repair' });
    assert.deepEqual(read, rows.flat());
    assert.equal(report.damage[0]!.reason, 'not a regular directory');
    assert.deepEqual((await readLog(dir)).report.damage, []);
  });

  it('has a checkpoint repaired like segments', async () => {
    const dir = directory();
    const rows = await fill(dir, 3);
    mkdirSync(inWal(dir, 'checkpoint.00000001'));
    renameSync(inWal(dir, '00000000'), inWal(dir, 'checkpoint.00000001/00000000'));
    const path = inWal(dir, 'checkpoint.00000001/00000001');
    renameSync(inWal(dir, '00000001'), path);
    const bytes = readFileSync(path);
    const hurt = Buffer.from(bytes);
    hurt[20]! ^= 1;
    writeFileSync(path, hurt);
    const { rows: read, report } = await readLog(dir, { damaged: 'repair' });
    assert.equal(report.damage.length, 1);
    assert.deepEqual(readFileSync(join(dir, 'corrupt', 'wal-checkpoint.00000001-00000001')), hurt);
    assert.deepEqual(read.slice(0, rows[0]!.length), rows[0]);
    assert.deepEqual(read.slice(-rows[2]!.length), rows[2]);
    const again = await readLog(dir, { damaged: 'repair' });
    assert.deepEqual([again.rows, again.report.damage], [read, []]);
  });

  it('has the leftovers of an interrupted repair removed', async () => {
    const dir = directory();
    const rows = await fill(dir, 1);
    writeFileSync(inWal(dir, '00000000.repair'), 'half');
    assert.deepEqual((await readLog(dir)).rows, rows.flat());
    assert.equal(existsSync(inWal(dir, '00000000.repair')), true);
    assert.deepEqual((await readLog(dir, { damaged: 'repair' })).rows, rows.flat());
    assert.equal(existsSync(inWal(dir, '00000000.repair')), false);
  });

  it('passes over fragments of a later version, kept aside', async () => {
    const dir = directory();
    const rows = await fill(dir, 2);
    const path = inWal(dir, '00000000');
    const later = Buffer.from([1 | 32, 0, 3, 0, 0, 0, 0, 1, 2, 3]);
    writeFileSync(path, Buffer.concat([later, readFileSync(path)]));
    const { rows: read, report } = await readLog(dir, { damaged: 'repair' });
    assert.deepEqual(read, rows.flat());
    assert.equal(report.damage[0]!.reason, 'an unknown fragment type');
  });

  it('is read all the same when there is no room to repair it, and repaired the next time', async () => {
    const dir = directory();
    const rows = await fill(dir, 3);
    const path = inWal(dir, '00000001');
    const bytes = readFileSync(path);
    bytes[10]! ^= 1;
    writeFileSync(path, bytes);
    const full = faulty({
      linkSync: () => {
        throw Object.assign(new Error('ENOSPC: injected'), { code: 'ENOSPC' });
      },
      writeSync: () => {
        throw Object.assign(new Error('ENOSPC: injected'), { code: 'ENOSPC' });
      },
    });
    const { rows: read, report } = await readLog(dir, { damaged: 'repair', fileSystem: full });
    assert.equal(report.damage.length, 1);
    assert.equal(report.damage[0]!.keptAs, undefined);
    assert.deepEqual(read.slice(-rows[2]!.length), rows[2]);
    assert.deepEqual(readFileSync(path), bytes);
    const later = await readLog(dir, { damaged: 'repair' });
    assert.deepEqual(later.rows, read);
    assert.deepEqual(readFileSync(later.report.damage[0]!.keptAs!), bytes);
    assert.deepEqual((await readLog(dir)).report.damage, []);
  });

  it('loses the pages that the disk cannot read, and says which', async () => {
    const dir = directory();
    const random = new RandomCommits(seededRandom(3));
    const writer = logWriter(dir, { compress: false });
    const rows: Row[] = [];
    while (writer.bytesWritten < 200_000) {
      const commit = random.commit();
      writer.log(commit);
      rows.push(...rowsOf(commit));
    }
    await writer.close();
    const bad = [2 * 32_768, 3 * 32_768];
    const disk = faulty({
      readSync: ((file: number, bytes: Uint8Array, offset: number, length: number, position: number) => {
        if (position < bad[1]! && position + length > bad[0]!) {
          throw Object.assign(new Error('EIO: injected'), { code: 'EIO' });
        }
        return nodeFileSystem.readSync(file, bytes, offset, length, position);
      }) as typeof nodeFileSystem.readSync,
    });
    const { rows: read, report } = await readLog(dir, { fileSystem: disk });
    assert.ok(read.length > rows.length / 2 && read.length < rows.length);
    assert.match(report.damage[0]!.reason, /EIO/);
    const texts = new Set(rows.map((row) => JSON.stringify(row)));
    assert.ok(read.every((row) => texts.has(JSON.stringify(row))));
    assert.deepEqual(read.slice(-50), rows.slice(-50));
  });

  for (const compress of [false, true]) {
    it(`shows only what was written, in order, with any bit flipped (${compress ? 'snappy' : 'none'})`, async () => {
      const dir = directory();
      const random = new RandomCommits(seededRandom(9));
      const writer = logWriter(dir, { compress });
      const all: string[] = [];
      while (writer.bytesWritten < 3000) {
        const commit = random.commit();
        writer.log(commit);
        all.push(...rowsOf(commit).map((row) => JSON.stringify(row)));
      }
      await writer.close();
      const bytes = readFileSync(inWal(dir, '00000000'));
      let most = 0;
      for (let bit = 0; bit < bytes.length * 8; bit += 11) {
        const hurt = Buffer.from(bytes);
        hurt[bit >>> 3]! ^= 1 << (bit & 7);
        const machine = new Machine();
        machine.put([['/data/wal/00000000', hurt]]);
        const fileSystem = machine.boot();
        const { rows, report } = await readLog('/data', { fileSystem, damaged: 'repair' });
        assert.ok(report.damage.length > 0, `bit ${bit} went unnoticed`);
        const texts = rows.map((row) => JSON.stringify(row));
        let at = -1;
        for (const text of texts) {
          at = all.indexOf(text, at + 1);
          assert.notEqual(at, -1, `bit ${bit}: ${text}`);
        }
        most = Math.max(most, texts.length);
        const again = await readLog('/data', { fileSystem });
        assert.deepEqual([again.rows, again.report.damage], [rows, []], `bit ${bit}`);
      }
      assert.ok(most > all.length * 0.9, 'most of the log is read around the damage');
    });
  }

  it('reads the same after a crash at any moment of its repair', async () => {
    const source = new Machine();
    source.boot().mkdirSync('/data/wal', { recursive: true });
    const dir = directory();
    await fill(dir, 3);
    const hurt = readFileSync(inWal(dir, '00000001'));
    hurt[10]! ^= 1;
    const files = ['00000000', '00000001', '00000002'].map(
      (name) => [`/data/wal/${name}`, name === '00000001' ? hurt : readFileSync(inWal(dir, name))] as const,
    );
    const expected = await (async () => {
      const machine = new Machine();
      machine.put(files);
      const { rows } = await readLog('/data', { fileSystem: machine.boot(), damaged: 'repair' });
      return { rows, calls: machine.trace.length };
    })();
    assert.ok(expected.calls >= 6, `${expected.calls} calls`);
    for (let call = 0; call < expected.calls; call++) {
      for (const afterwards of [false, true]) {
        for (const power of [true, false]) {
          const machine = new Machine();
          machine.put(files);
          let seen = 0;
          machine.plan = (point) => (point !== 'read' && seen++ === call ? { kind: 'die', afterwards } : undefined);
          await readLog('/data', { fileSystem: machine.boot(), damaged: 'repair' }).catch(() => {});
          machine.plan = undefined;
          if (!power) machine.losePower(seededRandom(call));
          const when = `call ${call} ${afterwards ? 'done' : 'not done'}, power ${power ? 'stays' : 'is lost'}`;
          const fileSystem = machine.boot();
          assert.deepEqual((await readLog('/data', { fileSystem, damaged: 'repair' })).rows, expected.rows, when);
          const kept = fileSystem.readdirSync('/data/corrupt').map((name) => {
            return Buffer.from(fileSystem.readFileSync(`/data/corrupt/${name}`)).equals(hurt);
          });
          assert.ok(kept.includes(true), when);
          assert.deepEqual((await readLog('/data', { fileSystem })).report.damage, [], when);
        }
      }
    }
  });
});
