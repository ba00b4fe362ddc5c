import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FileSystem, seededRandom } from '../../lib/env/index.ts';
import { Crash, faultAt, type FaultPlan } from './faults.ts';
import { Machine } from './file-system.ts';

/** Not that of a file just closed: another thread of this process may have one open by that number again. */
const NEVER_OPEN = 1 << 30;

const bytes = (text: string): Uint8Array => Buffer.from(text);

function syncEntry(fileSystem: FileSystem, path: string): void {
  const file = fileSystem.openSync(path, 'r');
  fileSystem.fsyncSync(file);
  fileSystem.closeSync(file);
}

/** What can be on the disk after a power loss, over many draws; a missing file is `-`. */
function outcomes(prepare: (fileSystem: FileSystem) => void, path: string): string[] {
  const seen = new Set<string>();
  for (let seed = 0; seed < 300; seed++) {
    const machine = new Machine();
    prepare(machine.boot());
    machine.losePower(seededRandom(seed));
    const after = machine.boot();
    seen.add(after.existsSync(path) ? after.readFileSync(path, 'latin1').replaceAll('\0', '.') : '-');
  }
  return [...seen].sort();
}

describe('the file system of the fault tests', function () {
  this.timeout(600_000);
  it('does what the real one does', () => {
    const dir = mkdtempSync(join(tmpdir(), 'promlet-fs-'));
    try {
      assert.deepEqual(script(new Machine().boot(), '/tmp/x'), script(fs, join(dir, 'x')));
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  /** Calls of every kind, and what came of each. */
  function script(fileSystem: FileSystem, root: string): unknown[] {
    const out: unknown[] = [];
    const attempt = (call: () => unknown): void => {
      try {
        const value = call();
        out.push(value instanceof Uint8Array ? Buffer.from(value).toString() : value);
      } catch (error) {
        out.push((error as NodeJS.ErrnoException).code);
      }
    };
    const at = (name: string): string => join(root, name);
    const all = (directory: string): string[] => fileSystem.readdirSync(directory).sort();
    fileSystem.mkdirSync(at('a/b'), { recursive: true });
    attempt(() => fileSystem.mkdirSync(at('a')));
    attempt(() => fileSystem.mkdirSync(at('missing/c')));
    attempt(() => fileSystem.openSync(at('none'), 'r'));
    attempt(() => fileSystem.openSync(at('a'), 'w'));
    attempt(() => fileSystem.readdirSync(at('none')));
    fileSystem.writeFileSync(at('f'), 'hello');
    attempt(() => fileSystem.openSync(at('f'), 'wx'));
    attempt(() => fileSystem.readdirSync(at('f')));
    attempt(() => fileSystem.openSync(at('f/x'), 'r'));
    const file = fileSystem.openSync(at('f'), 'r+');
    attempt(() => fileSystem.writeSync(file, bytes('HE'), 0, 2, 0));
    attempt(() => fileSystem.writeSync(file, bytes('xyz'), 1, 2, 8));
    attempt(() => fileSystem.readFileSync(at('f'), 'latin1'));
    const into = new Uint8Array(20);
    attempt(() => fileSystem.readSync(file, into, 2, 6, 1));
    attempt(() => fileSystem.readSync(file, into, 0, 20, 100));
    attempt(() => fileSystem.readSync(file, into, 10, 4, null));
    attempt(() => fileSystem.readSync(file, into, 14, 4, null));
    attempt(() => into);
    fileSystem.ftruncateSync(file, 3);
    fileSystem.ftruncateSync(file, 5);
    attempt(() => fileSystem.fstatSync(file).size);
    fileSystem.fsyncSync(file);
    fileSystem.closeSync(file);
    attempt(() => fileSystem.closeSync(NEVER_OPEN));
    attempt(() => fileSystem.readFileSync(at('f'), 'latin1'));
    attempt(() => fileSystem.statSync(at('a')).isDirectory());
    attempt(() => fileSystem.statSync(at('f')).isFile());
    fileSystem.writeFileSync(at('a/g'), 'g');
    attempt(() => fileSystem.renameSync(at('a/g'), at('f')));
    attempt(() => fileSystem.readFileSync(at('f'), 'utf8'));
    attempt(() => all(at('a')));
    attempt(() => fileSystem.renameSync(at('f'), at('a')));
    attempt(() => fileSystem.renameSync(at('none'), at('a')));
    fileSystem.writeFileSync(at('a/b/deep'), '');
    fileSystem.mkdirSync(at('full'));
    attempt(() => fileSystem.renameSync(at('full'), at('a')));
    fileSystem.renameSync(at('a'), at('full'));
    attempt(() => all(at('.')));
    attempt(() => fileSystem.unlinkSync(at('full')));
    attempt(() => fileSystem.rmSync(at('full')));
    fileSystem.rmSync(at('full'), { recursive: true });
    fileSystem.rmSync(at('full'), { recursive: true, force: true });
    attempt(() => fileSystem.rmSync(at('full')));
    attempt(() => fileSystem.existsSync(at('full')));
    attempt(() => all(at('.')));
    return out;
  }

  it('keeps an unlinked file as long as it is open', () => {
    const fileSystem = new Machine().boot();
    fileSystem.writeFileSync('/f', 'kept');
    const file = fileSystem.openSync('/f', 'r');
    fileSystem.unlinkSync('/f');
    const into = new Uint8Array(4);
    assert.equal(fileSystem.readSync(file, into, 0, 4, 0), 4);
    assert.equal(Buffer.from(into).toString(), 'kept');
  });

  it('loses no write to a kill, and answers the dead process with errors only', async () => {
    const machine = new Machine();
    const dead = machine.boot();
    const file = dead.openSync('/f', 'w');
    dead.writeSync(file, bytes('abc'), 0, 3, 0);
    const pending = new Promise((resolve) => dead.fsync(file, resolve));
    machine.crash();
    assert.ok((await pending) instanceof Crash);
    assert.throws(() => dead.writeSync(file, bytes('d'), 0, 1, 3), Crash);
    assert.throws(() => dead.statSync('/f'), Crash);
    assert.equal(machine.boot().readFileSync('/f', 'utf8'), 'abc');
  });

  it('loses unsynced content whole, from a point on, in blocks, or not at all', () => {
    const seen = outcomes((fileSystem) => {
      fileSystem.writeFileSync('/f', 'AB');
      const file = fileSystem.openSync('/f', 'r+');
      fileSystem.fsyncSync(file);
      syncEntry(fileSystem, '/');
      fileSystem.writeSync(file, bytes('xyz'), 0, 3, 1);
    }, '/f');
    for (const outcome of ['AB', 'Axyz', 'AB..', 'Ax..', 'Axy.', 'AB.', 'Axy'])
      assert.ok(seen.includes(outcome), outcome);
    assert.ok(seen.every((outcome) => outcome.startsWith('A')));
    assert.ok(!seen.includes('-'));
  });

  it('keeps what was synced', () => {
    const keep = (fileSystem: FileSystem): void => {
      fileSystem.writeFileSync('/f', 'whole');
      syncEntry(fileSystem, '/f');
      syncEntry(fileSystem, '/');
    };
    assert.deepEqual(outcomes(keep, '/f'), ['whole']);
  });

  it('takes an fsync of a file for its content, not for its name', () => {
    const nameless = (fileSystem: FileSystem): void => {
      fileSystem.writeFileSync('/f', 'whole');
      syncEntry(fileSystem, '/f');
    };
    assert.deepEqual(outcomes(nameless, '/f'), ['-', 'whole']);
    const within = (fileSystem: FileSystem): void => {
      fileSystem.mkdirSync('/d');
      fileSystem.writeFileSync('/d/f', 'whole');
      syncEntry(fileSystem, '/d/f');
      syncEntry(fileSystem, '/d');
    };
    assert.deepEqual(outcomes(within, '/d/f'), ['-', 'whole']);
  });

  it('renames whole or not at all', () => {
    const replace = (fileSystem: FileSystem): void => {
      for (const [name, text] of [
        ['/f', 'old'],
        ['/g', 'new'],
      ] as const) {
        fileSystem.writeFileSync(name, text);
        syncEntry(fileSystem, name);
      }
      syncEntry(fileSystem, '/');
      fileSystem.renameSync('/g', '/f');
    };
    assert.deepEqual(outcomes(replace, '/f'), ['new', 'old']);
    const across = (fileSystem: FileSystem): void => {
      fileSystem.mkdirSync('/a');
      fileSystem.mkdirSync('/b');
      fileSystem.writeFileSync('/a/f', 'text');
      for (const name of ['/a/f', '/a', '/b', '/']) syncEntry(fileSystem, name);
      fileSystem.renameSync('/a/f', '/b/f');
    };
    for (let seed = 0; seed < 50; seed++) {
      const machine = new Machine();
      across(machine.boot());
      machine.losePower(seededRandom(seed));
      const after = machine.boot();
      assert.notEqual(after.existsSync('/a/f'), after.existsSync('/b/f'));
    }
    const synced = (fileSystem: FileSystem): void => {
      across(fileSystem);
      syncEntry(fileSystem, '/b');
    };
    assert.deepEqual(outcomes(synced, '/b/f'), ['text']);
  });

  it('does not write at the next fsync what a failed one was to write', () => {
    const machine = new Machine();
    const fileSystem = machine.boot();
    fileSystem.writeFileSync('/f', 'one');
    const file = fileSystem.openSync('/f', 'r+');
    syncEntry(fileSystem, '/');
    machine.plan = faultAt(0, { kind: 'EIO' }, ['fsync']);
    assert.throws(() => fileSystem.fsyncSync(file), { code: 'EIO' });
    fileSystem.writeSync(file, bytes('+'), 0, 1, 3);
    fileSystem.fsyncSync(file);
    assert.equal(fileSystem.readFileSync('/f', 'utf8'), 'one+');
    machine.losePower(() => 0);
    assert.equal(machine.boot().readFileSync('/f', 'latin1'), '\0\0\0+');
  });

  const planned = (plan: FaultPlan, act: (fileSystem: FileSystem) => unknown): Machine => {
    const machine = new Machine();
    const fileSystem = machine.boot();
    fileSystem.writeFileSync('/f', '');
    machine.plan = plan;
    act(fileSystem);
    machine.plan = undefined;
    return machine;
  };
  const read = (machine: Machine): string => machine.boot().readFileSync('/f', 'utf8');

  it('puts faults on the calls that a plan names', () => {
    const write = (fileSystem: FileSystem): number => {
      const file = fileSystem.openSync('/f', 'r+');
      return fileSystem.writeSync(file, bytes('0123456789'), 0, 10, 0);
    };
    let taken = 0;
    assert.equal(read(planned(faultAt(1, { kind: 'short' }), (fileSystem) => (taken = write(fileSystem)))), '01234');
    assert.equal(taken, 5);
    const full = faultAt(0, { kind: 'ENOSPC' }, ['write']);
    assert.equal(read(planned(full, (fileSystem) => assert.throws(() => write(fileSystem), { code: 'ENOSPC' }))), '');
    const torn = faultAt(0, { kind: 'die', taken: 0.3 }, ['write']);
    const machine = planned(torn, (fileSystem) => {
      assert.throws(() => write(fileSystem), Crash);
      assert.throws(() => fileSystem.readdirSync('/'), Crash);
    });
    assert.equal(read(machine), '012');
    const behind = faultAt(0, { kind: 'EIO', afterwards: true }, ['rename']);
    const renamed = planned(behind, (fileSystem) => {
      assert.throws(() => fileSystem.renameSync('/f', '/g'), { code: 'EIO' });
    });
    assert.deepEqual([...renamed.disk.files().keys()], ['/g']);
    const many = faultAt(0, { kind: 'EMFILE' }, ['open']);
    planned(many, (fileSystem) => assert.throws(() => fileSystem.openSync('/f', 'a'), { code: 'EMFILE' }));
  });

  it('is full when it is full, after the part that fits', () => {
    const machine = new Machine();
    machine.capacityBytes = 6;
    const fileSystem = machine.boot();
    const file = fileSystem.openSync('/f', 'w');
    assert.equal(fileSystem.writeSync(file, bytes('0123'), 0, 4, 0), 4);
    assert.equal(fileSystem.writeSync(file, bytes('4567'), 0, 4, 4), 2);
    assert.throws(() => fileSystem.writeSync(file, bytes('67'), 0, 2, 6), { code: 'ENOSPC' });
    assert.equal(fileSystem.writeSync(file, bytes('x'), 0, 1, 0), 1);
  });

  it('follows symlinks, and tells of loops', () => {
    const machine = new Machine();
    machine.put([['/d/f', bytes('here')]]);
    const fileSystem = machine.boot() as FileSystem & { symlinkSync(target: string, path: string): void };
    fileSystem.symlinkSync('d', '/to-d');
    fileSystem.symlinkSync('loop', '/loop');
    assert.equal(fileSystem.readFileSync('/to-d/f', 'utf8'), 'here');
    assert.throws(() => fileSystem.readFileSync('/loop'), { code: 'ELOOP' });
  });

  it('says which files are left open', () => {
    const machine = new Machine();
    const fileSystem = machine.boot();
    const file = fileSystem.openSync('/f', 'w');
    assert.deepEqual(machine.openPaths, ['/f']);
    fileSystem.closeSync(file);
    assert.deepEqual(machine.openPaths, []);
    assert.throws(() => fileSystem.closeSync(file), { code: 'EBADF' });
  });
});
