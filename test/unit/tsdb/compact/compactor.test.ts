import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { join } from 'node:path';
import type { FileSystem } from '../../../../lib/env/index.ts';
import type { CompactionRunner } from '../../../../lib/tsdb/compact/runner.ts';
import { faultsBetween } from '../../../fault/faults.ts';
import { Machine } from '../../../fault/file-system.ts';
import {
  type BlockText,
  DIR,
  entries,
  id,
  open,
  openBlock,
  type Opened,
  putBlocks,
  ranges,
  samplesOf,
} from './compactor-harness.ts';

/** Four adjacent blocks, of which three fill a range, and one that is fresh. */
const ADJACENT: Record<string, BlockText> = {
  '1': { times: [0, 20], series: { 'a=b': ['1 19'] } },
  '2': { times: [20, 40], series: { 'a=b': ['20 39'], 'a=c': ['21'] } },
  '3': { times: [40, 60], series: { 'a=b': ['41'] } },
  '4': { times: [60, 80], series: { 'a=b': ['61'] } },
};
const ADJACENT_SAMPLES = { 'a=b': '1 19 20 39 41 61', 'a=c': '21' };

describe('the compactor', () => {
  let machine: Machine;
  let fileSystem: FileSystem;
  beforeEach(() => {
    machine = new Machine();
    fileSystem = machine.boot();
  });

  async function opened(blocks: Record<string, BlockText>): Promise<Opened> {
    await putBlocks(fileSystem, blocks);
    return open(fileSystem);
  }

  it('compacts what the plan has, until it has nothing more, and deletes what went into it', async () => {
    const { blocks, compactor } = await opened({
      ...ADJACENT,
      '5': { times: [60, 80], series: { 'a=d': ['70'] } },
      '6': { times: [80, 100], series: { 'a=b': ['81'] } },
    });
    await compactor.compactBlocks();
    await blocks.settled();
    deepEqual(ranges(blocks.blocks), ['0-60 level 2', '60-80 level 2', '80-100']);
    deepEqual(samplesOf(blocks.blocks), { 'a=b': '1 19 20 39 41 61 81', 'a=c': '21', 'a=d': '70' });
    equal(entries(fileSystem).length, 3);
    const { compactions, vertical, failures } = compactor.stats;
    deepEqual({ compactions, vertical, failures }, { compactions: 2, vertical: 1, failures: 0 });
  });

  it('says in the meta file what the block has and where it comes from', async () => {
    const { blocks, compactor } = await opened(ADJACENT);
    await compactor.compactBlocks();
    const { stats, compaction } = blocks.blocks[0]!.meta;
    deepEqual(stats, { numSamples: 6, numFloatSamples: 6, numSeries: 2, numChunks: 4 });
    deepEqual(compaction.sources, [id('1'), id('2'), id('3')]);
    deepEqual(
      compaction.parents?.map((parent) => parent.ulid),
      [id('1'), id('2'), id('3')],
    );
  });

  it('goes on only while it may', async () => {
    const { blocks, compactor } = await opened(ADJACENT);
    await compactor.compactBlocks(undefined, () => false);
    equal(blocks.blocks.length, 4);
  });

  it('leaves blocks to those who read them', async () => {
    const { blocks, compactor } = await opened(ADJACENT);
    const lease = blocks.lease(0, 100);
    await compactor.compactBlocks();
    deepEqual(samplesOf(lease.blocks), ADJACENT_SAMPLES);
    deepEqual(ranges(blocks.lease(0, 100).blocks), ['0-60 level 2', '60-80']);
    equal(entries(fileSystem).length, 5);
    lease.release();
    await blocks.settled();
    equal(entries(fileSystem).length, 2);
  });

  it('deletes blocks of which nothing is left', async () => {
    const deleted = { chunks: ['1 19'], deleted: [] };
    const { blocks, compactor } = await opened({
      '1': { times: [0, 20], series: { 'a=b': deleted } },
      '2': { times: [0, 20], series: { 'a=b': deleted } },
      '3': { times: [20, 40], series: { 'a=b': ['21'] } },
    });
    for (const block of blocks.blocks.slice(0, 2)) block.delete(0, 19, []);
    await compactor.compactBlocks();
    await blocks.settled();
    deepEqual(ranges(blocks.blocks), ['20-40']);
    deepEqual(entries(fileSystem), [id('3')]);
  });

  describe('when a block is damaged', () => {
    const damage = (name: string): void => {
      const path = join(DIR, id(name), 'chunks', '000001');
      const bytes = fileSystem.readFileSync(path);
      bytes[14]! ^= 1;
      fileSystem.writeFileSync(path, bytes);
    };

    it('marks those that it would have gone with, leaves them, and compacts the others', async () => {
      await putBlocks(fileSystem, {
        ...ADJACENT,
        '5': { times: [80, 100], series: { 'a=b': ['81'] } },
        '6': { times: [100, 120], series: { 'a=b': ['101'] } },
        '7': { times: [120, 140], series: { 'a=b': ['121'] } },
      });
      damage('2');
      const { blocks, compactor } = open(fileSystem);
      await compactor.compactBlocks();
      await blocks.settled();
      deepEqual(ranges(blocks.blocks), ['0-20', '20-40', '40-60', '60-120 level 2', '120-140']);
      deepEqual(
        blocks.blocks.map((block) => block.meta.compaction.failed === true),
        [true, true, true, false, false],
      );
      equal(compactor.stats.failures, 1);
      ok(entries(fileSystem).every((name) => !name.includes('tmp')));
      await compactor.compactBlocks();
      equal(compactor.stats.failures, 1);
    });

    it('does not try an overlap again and again', async () => {
      await putBlocks(fileSystem, {
        '1': { times: [0, 20], series: { 'a=b': ['1 19'] } },
        '2': { times: [0, 20], series: { 'a=b': ['2'] } },
        '3': { times: [20, 40], series: { 'a=b': ['21'] } },
        '4': { times: [20, 40], series: { 'a=b': ['22'] } },
      });
      damage('2');
      const { blocks, compactor } = open(fileSystem);
      await compactor.compactBlocks();
      deepEqual(ranges(blocks.blocks), ['0-20', '0-20', '20-40 level 2']);
    });
  });

  describe('when the disk is full', () => {
    it('leaves nothing half written, marks no block, and succeeds later', async () => {
      const { blocks, compactor } = await opened(ADJACENT);
      machine.plan = faultsBetween(2, 1_000, { kind: 'ENOSPC' }, ['write']);
      await rejects(compactor.compactBlocks(), { code: 'storage/block-write' });
      machine.plan = undefined;
      deepEqual(entries(fileSystem), ['1', '2', '3', '4'].map(id));
      ok(blocks.blocks.every((block) => block.meta.compaction.failed !== true));
      equal(compactor.stats.failures, 1);
      await compactor.compactBlocks();
      deepEqual(ranges(blocks.blocks), ['0-60 level 2', '60-80']);
    });
  });

  describe('when it is stopped', () => {
    it('deletes what it wrote so far', async () => {
      const { blocks, compactor } = await opened(ADJACENT);
      const stop = new AbortController();
      let calls = 0;
      machine.plan = (point) => {
        if (point === 'write' && ++calls === 2) stop.abort(new Error('stopped'));
        return undefined;
      };
      await rejects(compactor.compactBlocks(stop.signal), /stopped/);
      deepEqual(entries(fileSystem), ['1', '2', '3', '4'].map(id));
      ok(blocks.blocks.every((block) => block.meta.compaction.failed !== true));
      equal(compactor.stats.failures, 0);
    });

    it('does not wait for another', async () => {
      const { compactor } = await opened(ADJACENT);
      let finish = (): void => {};
      const other = compactor.exclusively(() => new Promise<void>((resolve) => (finish = resolve)));
      const stop = new AbortController();
      const waiting = compactor.compactBlocks(stop.signal);
      stop.abort(new Error('stopped'));
      await rejects(waiting, /stopped/);
      finish();
      await other;
    });
  });

  it('does one thing at a time', async () => {
    const { blocks, compactor } = await opened(ADJACENT);
    await Promise.all([compactor.compactBlocks(), compactor.compactBlocks(), compactor.cleanTombstones()]);
    equal(compactor.stats.compactions, 1);
    deepEqual(ranges(blocks.blocks), ['0-60 level 2', '60-80']);
  });

  it('deletes a new block that is bad, and keeps what it was made from', async () => {
    await putBlocks(fileSystem, ADJACENT);
    const runner: CompactionRunner = {
      run({ dir, meta }) {
        fileSystem.mkdirSync(join(dir, meta.ulid));
        fileSystem.writeFileSync(join(dir, meta.ulid, 'meta.json'), 'nonsense');
        return Promise.resolve({ ...meta, stats: {}, version: 1 });
      },
    };
    const { blocks, compactor } = open(fileSystem, { runner });
    await compactor.compactBlocks();
    await blocks.settled();
    deepEqual(entries(fileSystem), ['1', '2', '3', '4'].map(id));
    deepEqual(samplesOf(blocks.blocks), ADJACENT_SAMPLES);
    equal(blocks.stats.unreadable, 0);
    deepEqual(
      blocks.blocks.map((block) => block.meta.compaction.failed === true),
      [true, true, true, false],
    );
  });

  it('tries again when a new block could not be read', async () => {
    const { blocks, compactor } = await opened(ADJACENT);
    const parents = ['1', '2', '3', '4'].map(id);
    machine.plan = (point, path) =>
      point === 'read' && path.endsWith('/meta.json') && parents.every((name) => !path.includes(name))
        ? { kind: 'EIO' }
        : undefined;
    await rejects(compactor.compactBlocks(), { code: 'storage/block-write' });
    machine.plan = undefined;
    await blocks.settled();
    deepEqual(entries(fileSystem), parents);
    await compactor.compactBlocks();
    deepEqual(ranges(blocks.blocks), ['0-60 level 2', '60-80']);
  });

  describe('cleaning tombstones', () => {
    it('writes blocks anew that have some, and no others', async () => {
      const { blocks, compactor } = await opened(ADJACENT);
      blocks.blocks[1]!.delete(30, 50, []);
      blocks.blocks[2]!.delete(30, 50, []);
      await compactor.cleanTombstones();
      await blocks.settled();
      deepEqual(ranges(blocks.blocks), ['0-20', '20-40', '60-80']);
      deepEqual(samplesOf(blocks.blocks), { 'a=b': '1 19 20 61', 'a=c': '21' });
      ok(blocks.blocks.every((block) => block.tombstones.total === 0));
      deepEqual(entries(fileSystem).slice(0, 2), [id('1'), id('4')]);
      deepEqual(
        blocks.blocks[1]!.meta.compaction.parents?.map((parent) => parent.ulid),
        [id('2')],
      );
    });
  });

  describe('a head', () => {
    const head = { kind: 'block', dir: join('/head', id('1')) } as const;
    beforeEach(async () => {
      await putBlocks(fileSystem, { '1': { times: [0, 100], series: { 'a=b': ['5 10 25', '30 60'] } } }, '/head');
      fileSystem.mkdirSync(DIR);
    });

    it('becomes a block, in the range asked for', async () => {
      const { blocks, compactor } = open(fileSystem);
      const meta = await compactor.compactHead(head, 10, 40);
      deepEqual(ranges(blocks.blocks), ['10-40']);
      deepEqual(samplesOf(blocks.blocks), { 'a=b': '10 25 30' });
      const { ulid, compaction } = blocks.blocks[0]!.meta;
      equal(meta?.ulid, ulid);
      deepEqual(compaction, { level: 1, sources: [ulid] });
    });

    it('becomes none when it has no samples there', async () => {
      const { blocks, compactor } = open(fileSystem);
      equal(await compactor.compactHead(head, 61, 80), undefined);
      deepEqual(blocks.blocks, []);
      deepEqual(entries(fileSystem), []);
    });

    it('becomes a block for each range of what came out of order', async () => {
      const { blocks, compactor } = open(fileSystem);
      const metas = await compactor.compactOutOfOrderHead(() => head, 5, 60);
      deepEqual(ranges(blocks.blocks), ['0-20', '20-40', '60-80']);
      ok(metas.every((meta) => meta.compaction.hints?.includes('from-out-of-order')));
      equal(blocks.inOrderMaxTimeMs, -Infinity);
    });

    it('leaves no block of what came out of order when one of them fails', async () => {
      const { blocks, compactor } = open(fileSystem);
      let renames = 0;
      machine.plan = (point, path) =>
        point === 'rename' && /^\/data\/\S*tmp-for-creation \/data/.test(path) && ++renames === 2
          ? { kind: 'EIO' }
          : undefined;
      await rejects(
        compactor.compactOutOfOrderHead(() => head, 5, 60),
        { code: 'storage/block-write' },
      );
      await blocks.settled();
      deepEqual(entries(fileSystem), []);
    });
  });

  describe('a snapshot', () => {
    it('has all blocks as hard links, and the head as a block', async () => {
      const { blocks, compactor } = await opened(ADJACENT);
      await putBlocks(fileSystem, { '9': { times: [80, 100], series: { 'a=b': ['81'] } } }, '/head');
      const head = { kind: 'block', dir: join('/head', id('9')) } as const;
      await compactor.snapshot('/data/snapshots/s', { source: head, minMs: 80, maxMs: 82 });
      const names = fileSystem.readdirSync('/data/snapshots/s').sort();
      deepEqual(names.slice(0, 4), ['1', '2', '3', '4'].map(id));
      const copies = names.map((name) => openBlock(fileSystem, name, '/data/snapshots/s'));
      deepEqual(samplesOf(copies), { 'a=b': '1 19 20 39 41 61 81', 'a=c': '21' });
      await compactor.compactBlocks();
      await blocks.settled();
      deepEqual(samplesOf(names.map((name) => openBlock(fileSystem, name, '/data/snapshots/s')))['a=c'], '21');
    });

    it('says where it failed', async () => {
      const { compactor } = await opened(ADJACENT);
      machine.plan = faultsBetween(1, 2, { kind: 'EIO' }, ['link']);
      await rejects(compactor.snapshot('/data/snapshots/s'), { code: 'storage/snapshot', message: /0001 to .*EIO/ });
    });
  });
});
