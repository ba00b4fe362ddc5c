import { deepEqual, equal, ok } from 'node:assert/strict';
import { seededRandom } from '../../lib/env/index.ts';
import { PromletError } from '../../lib/model/index.ts';
import { open, type Opened, putBlocks, samplesOf } from '../unit/tsdb/compact/compactor-harness.ts';
import { Crash, type Fault, faultAt, faultsBetween, MUTATIONS } from './faults.ts';
import { Machine } from './file-system.ts';

/** Overlaps, a full range, tombstones, and a block that is fresh. */
async function prepare(): Promise<Machine> {
  const machine = new Machine();
  const fileSystem = machine.boot();
  await putBlocks(fileSystem, {
    '1': { times: [0, 20], series: { 'a=b': ['1=1 19=1'], 'a=c': ['3=1 4=1'] } },
    '2': { times: [0, 20], series: { 'a=b': ['2=2 18=2'] } },
    '3': { times: [20, 40], series: { 'a=b': ['20=3 39=3'], 'a=c': ['21=3'] } },
    '4': { times: [40, 60], series: { 'a=b': ['41=4'] } },
    '5': { times: [60, 80], series: { 'a=b': ['61=5'] } },
  });
  const { blocks } = open(fileSystem);
  blocks.blocks[2]!.delete(39, 39, []);
  await blocks.close();
  machine.crash();
  machine.disk.syncAll();
  return machine;
}

const SAMPLES = { 'a=b': '1=1 2=2 18=2 19=1 20=3 41=4 61=5', 'a=c': '3=1 4=1 21=3' };

/** Everything that compaction does to the files of a data directory. */
async function work({ blocks, compactor }: Opened): Promise<void> {
  await compactor.cleanTombstones();
  await compactor.compactBlocks();
  await compactor.snapshot('/data/snapshots/s');
  await blocks.close();
}

/** The samples must be those there were, now and after compaction without faults. */
async function expectWhole(machine: Machine, context: string): Promise<void> {
  machine.plan = undefined;
  const opened = open(machine.boot());
  equal(opened.blocks.stats.unreadable, 0, `${context}: a block cannot be read`);
  deepEqual(samplesOf(opened.blocks.blocks), SAMPLES, context);
  await work({ ...opened, compactor: opened.compactor }).catch((error: unknown) => {
    // The snapshot may have been begun.
    ok(error instanceof PromletError && error.code === 'storage/snapshot', `${context}: ${String(error)}`);
  });
  const after = open(machine.boot());
  deepEqual(samplesOf(after.blocks.blocks), SAMPLES, `${context}, compacted later`);
  await after.blocks.close();
  ok(
    machine
      .boot()
      .readdirSync('/data')
      .every((name) => !name.includes('.tmp')),
    `${context}: something is left over`,
  );
}

async function countMutations(): Promise<number> {
  const machine = await prepare();
  const before = machine.trace.length;
  await work(open(machine.boot()));
  return machine.trace.length - before;
}

describe('compaction on a machine that fails', function () {
  this.timeout(600_000);

  /** Does the work with a fault at every call in turn. */
  async function sweep(fault: Fault, losePower: boolean): Promise<void> {
    const mutations = await countMutations();
    ok(mutations > 100, 'the work changes nothing');
    for (let at = 0; at < mutations; at++) {
      const machine = await prepare();
      const fileSystem = machine.boot();
      machine.plan = faultAt(at, fault);
      try {
        await work(open(fileSystem));
      } catch (error) {
        const expected = fault.kind === 'die' ? isCrash(error) : error instanceof PromletError;
        if (!expected) throw error;
      }
      const random = seededRandom(at);
      if (losePower) machine.losePower(random);
      else machine.crash();
      await expectWhole(machine, `${fault.kind} at ${at}`);
    }
  }

  it('loses nothing when it is killed at any call', () => sweep({ kind: 'die' }, false));
  it('loses nothing when it is killed behind any call', () => sweep({ kind: 'die', afterwards: true }, false));
  it('loses nothing when the power goes at any call', () => sweep({ kind: 'die' }, true));
  it('loses nothing when the power goes behind any call', () => sweep({ kind: 'die', afterwards: true }, true));
  it('loses nothing when any call finds the disk full', () => sweep({ kind: 'ENOSPC' }, false));
  it('loses nothing when any call fails', () => sweep({ kind: 'EIO' }, false));
  it('loses nothing when any call fails after it took effect', () => sweep({ kind: 'EIO', afterwards: true }, true));
  it('loses nothing when any write is short', () => sweep({ kind: 'short' }, false));

  it('loses nothing when the disk stays full', async () => {
    const mutations = await countMutations();
    for (let at = 0; at < mutations; at += 5) {
      const machine = await prepare();
      const fileSystem = machine.boot();
      machine.plan = faultsBetween(
        at,
        Infinity,
        { kind: 'ENOSPC' },
        MUTATIONS.filter((point) => point !== 'unlink'),
      );
      await work(open(fileSystem)).catch((error: unknown) => ok(error instanceof PromletError, String(error)));
      machine.crash();
      await expectWhole(machine, `full from ${at} on`);
    }
  });
});

describe('retention on a machine that fails', function () {
  this.timeout(600_000);

  /** Deletes the two oldest blocks. */
  async function applyRetention({ blocks }: Opened): Promise<void> {
    const facts = { nowMs: 90, headBytes: 0, diskBytes: undefined };
    blocks.reload({ options: { timeMs: 70, sizeBytes: 0, diskPercent: 0 }, facts });
    await blocks.close();
  }

  async function sweep(fault: Fault, losePower: boolean): Promise<void> {
    for (let at = 0, done = false; !done; at++) {
      const machine = await prepare();
      const fileSystem = machine.boot();
      const before = machine.trace.length;
      machine.plan = faultAt(at, fault);
      try {
        await applyRetention(open(fileSystem));
        done = machine.trace.length - before <= at;
      } catch (error) {
        if (!isCrash(error)) throw error;
      }
      if (losePower) machine.losePower(seededRandom(at));
      else machine.crash();
      machine.plan = undefined;
      const { blocks } = open(machine.boot());
      const { 'a=b': kept } = samplesOf(blocks.blocks);
      ok(kept?.endsWith('20=3 41=4 61=5'), `${fault.kind} at ${at}: ${kept}`);
      equal(blocks.stats.unreadable, 0, `${fault.kind} at ${at}: a block cannot be read`);
      await applyRetention(open(machine.boot()));
      const names = machine.boot().readdirSync('/data');
      equal(names.length, 3, `${fault.kind} at ${at}: ${names.join(' ')}`);
    }
  }

  it('leaves no half of a block when it is killed', () => sweep({ kind: 'die' }, false));
  it('leaves none when the power goes', () => sweep({ kind: 'die', afterwards: true }, true));
  it('leaves none when a call fails', () => sweep({ kind: 'EIO' }, false));
});

function isCrash(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof Crash) return true;
  return false;
}
