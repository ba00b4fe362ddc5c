import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { join } from 'node:path';
import type { FileSystem } from '../../../lib/env/index.ts';
import { DEFAULT_RETENTION } from '../../../lib/tsdb/retention.ts';
import { Machine } from '../../fault/file-system.ts';
import { DIR, entries, id, open, putBlocks, ranges, samplesOf } from './compact/compactor-harness.ts';

describe('the set of blocks', () => {
  let fileSystem: FileSystem;
  let machine: Machine;
  beforeEach(() => {
    machine = new Machine();
    fileSystem = machine.boot();
  });

  const series = { 'a=b': ['1'] };

  it('opens the blocks of a directory in the order of their times', async () => {
    await putBlocks(fileSystem, {
      '3': { times: [0, 20], series },
      '2': { times: [20, 40], series: { 'a=b': ['21'] } },
    });
    fileSystem.mkdirSync(join(DIR, 'wal'));
    fileSystem.writeFileSync(join(DIR, id('9')), 'a file');
    const { blocks } = open(fileSystem);
    deepEqual(ranges(blocks.blocks), ['0-20', '20-40']);
    deepEqual(samplesOf(blocks.blocks), { 'a=b': '1 21' });
    equal(blocks.inOrderMaxTimeMs, 40);
    equal(
      blocks.stats.sizeBytes,
      blocks.blocks.reduce((sum, block) => sum + block.sizeBytes, 0),
    );
  });

  it('is empty for an empty directory', () => {
    fileSystem.mkdirSync(DIR);
    const { blocks } = open(fileSystem);
    deepEqual(blocks.blocks, []);
    equal(blocks.inOrderMaxTimeMs, -Infinity);
  });

  it('does not take blocks of some of the samples for how far the samples in order are in blocks', async () => {
    await putBlocks(fileSystem, {
      '1': { times: [0, 20], series },
      '2': { times: [20, 40], series: { 'a=b': ['21'] }, more: { hints: ['from-out-of-order'] } },
      '3': { times: [40, 60], series: { 'a=b': ['41'] }, more: { hints: ['from-stale-series'] } },
    });
    equal(open(fileSystem).blocks.inOrderMaxTimeMs, 20);
  });

  it('deletes what was left unfinished, and nothing else', async () => {
    await putBlocks(fileSystem, { '1': { times: [0, 20], series } });
    const leftovers = [
      `${id('2')}.tmp-for-creation`,
      `${id('3')}.tmp-for-deletion`,
      `${id('4')}.tmp`,
      'chunk_snapshot.1.tmp',
    ];
    const others = ['chunk_snapshot.000001.0', 'chunks_head', 'mine.tmp', `${id('5')}.tmp-for-later`, 'wal'];
    for (const name of [...leftovers, ...others]) {
      fileSystem.mkdirSync(join(DIR, name, 'chunks'), { recursive: true });
      fileSystem.writeFileSync(join(DIR, name, 'chunks', '000001'), 'x');
    }
    open(fileSystem);
    deepEqual(entries(fileSystem), [id('1'), ...others].sort());
  });

  it('reports a block that it cannot open, leaves it, and goes on with the others', async () => {
    await putBlocks(fileSystem, {
      '1': { times: [0, 20], series },
      '2': { times: [20, 40], series: { 'a=b': ['21'] } },
      '3': { times: [40, 60], series: { 'a=b': ['41'] } },
    });
    fileSystem.writeFileSync(join(DIR, id('1'), 'index'), 'nonsense');
    fileSystem.unlinkSync(join(DIR, id('3'), 'meta.json'));
    const before = entries(fileSystem);
    const { blocks } = open(fileSystem);
    deepEqual(ranges(blocks.blocks), ['20-40']);
    equal(blocks.stats.unreadable, 2);
    blocks.reload();
    equal(blocks.stats.unreadable, 2);
    deepEqual(entries(fileSystem), before);
  });

  it('tries a block again that could not be read, and not one that is bad', async () => {
    await putBlocks(fileSystem, {
      '1': { times: [0, 20], series },
      '2': { times: [20, 40], series: { 'a=b': ['21'] } },
    });
    const index = fileSystem.readFileSync(join(DIR, id('2'), 'index'));
    fileSystem.writeFileSync(join(DIR, id('2'), 'index'), 'nonsense');
    machine.plan = (point, path) => (point === 'read' && path.includes(id('1')) ? { kind: 'EIO' } : undefined);
    const { blocks } = open(fileSystem);
    equal(blocks.stats.unreadable, 2);
    machine.plan = undefined;
    fileSystem.writeFileSync(join(DIR, id('2'), 'index'), index);
    blocks.reload();
    deepEqual(ranges(blocks.blocks), ['0-20']);
    equal(blocks.stats.unreadable, 1);
    deepEqual(ranges(open(fileSystem).blocks.blocks), ['0-20', '20-40']);
  });

  it('does not open a block that calls itself another', async () => {
    await putBlocks(fileSystem, { '1': { times: [0, 20], series } });
    fileSystem.renameSync(join(DIR, id('1')), join(DIR, id('2')));
    const { blocks } = open(fileSystem);
    deepEqual(blocks.blocks, []);
    equal(blocks.stats.unreadable, 1);
    deepEqual(machine.openPaths, []);
  });

  it('takes in blocks that are new and lets go of those that are gone', async () => {
    await putBlocks(fileSystem, { '1': { times: [0, 20], series } });
    const { blocks } = open(fileSystem);
    await putBlocks(fileSystem, { '2': { times: [20, 40], series: { 'a=b': ['21'] } } });
    blocks.reload();
    deepEqual(ranges(blocks.blocks), ['0-20', '20-40']);
    fileSystem.rmSync(join(DIR, id('1')), { recursive: true });
    blocks.reload();
    deepEqual(ranges(blocks.blocks), ['20-40']);
    ok(machine.openPaths.every((path) => path.includes(id('2'))));
  });

  it('deletes blocks that another one was made from, bad ones too, and those marked as deletable', async () => {
    const parents = ['1', '2'].map((name) => ({ ulid: id(name), minTime: 0, maxTime: 20 }));
    await putBlocks(fileSystem, {
      '1': { times: [0, 20], series },
      '2': { times: [0, 20], series },
      '3': { times: [0, 20], series, more: { level: 2, parents } },
      '4': { times: [20, 40], series: { 'a=b': ['21'] }, more: { deletable: true } },
    });
    fileSystem.writeFileSync(join(DIR, id('2'), 'index'), 'nonsense');
    const { blocks } = open(fileSystem);
    await blocks.settled();
    deepEqual(ranges(blocks.blocks), ['0-20 level 2']);
    deepEqual(entries(fileSystem), [id('3')]);
    equal(blocks.stats.deleted, 3);
    equal(blocks.stats.unreadable, 0);
  });

  it('keeps a block that calls itself its parent', async () => {
    const parents = [{ ulid: id('1'), minTime: 0, maxTime: 20 }];
    await putBlocks(fileSystem, { '1': { times: [0, 20], series, more: { parents } } });
    deepEqual(ranges(open(fileSystem).blocks.blocks), ['0-20']);
  });

  it('keeps the parents of a block that it cannot open', async () => {
    const parents = [{ ulid: id('1'), minTime: 0, maxTime: 20 }];
    await putBlocks(fileSystem, {
      '1': { times: [0, 20], series },
      '2': { times: [0, 20], series, more: { level: 2, parents } },
    });
    fileSystem.writeFileSync(join(DIR, id('2'), 'index'), 'nonsense');
    const { blocks } = open(fileSystem);
    await blocks.settled();
    deepEqual(samplesOf(blocks.blocks), { 'a=b': '1' });
    deepEqual(entries(fileSystem), [id('1'), id('2')]);
  });

  it('deletes what is past retention, but for the last block', async () => {
    await putBlocks(fileSystem, {
      '1': { times: [0, 20], series },
      '2': { times: [20, 40], series: { 'a=b': ['21'] } },
      '3': { times: [40, 60], series: { 'a=b': ['41'] } },
    });
    const { blocks } = open(fileSystem);
    const retention = (timeMs: number, sizeBytes: number): void =>
      blocks.reload({
        options: { ...DEFAULT_RETENTION, timeMs, sizeBytes },
        facts: { nowMs: 60, headBytes: 0, diskBytes: undefined },
      });
    retention(41, 0);
    deepEqual(ranges(blocks.blocks), ['0-20', '20-40', '40-60']);
    retention(40, 0);
    deepEqual(ranges(blocks.blocks), ['20-40', '40-60']);
    retention(0, 1);
    deepEqual(ranges(blocks.blocks), ['40-60']);
    await blocks.settled();
    deepEqual(entries(fileSystem), [id('3')]);
    deepEqual([blocks.stats.timeRetentions, blocks.stats.sizeRetentions], [1, 1]);
  });

  it('does not count blocks that are replaced against retention by size', async () => {
    const parents = [{ ulid: id('2'), minTime: 20, maxTime: 40 }];
    await putBlocks(fileSystem, {
      '1': { times: [0, 20], series },
      '2': { times: [20, 40], series: { 'a=b': ['21'] } },
      '3': { times: [20, 40], series: { 'a=b': ['21'] }, more: { parents } },
    });
    const probe = open(fileSystem).blocks;
    const sizeBytes = probe.stats.sizeBytes;
    await probe.close();
    const { blocks } = open(fileSystem);
    blocks.reload({
      options: { timeMs: 0, sizeBytes, diskPercent: 0 },
      facts: { nowMs: 0, headBytes: 0, diskBytes: undefined },
    });
    deepEqual(ranges(blocks.blocks), ['0-20', '20-40']);
  });

  describe('while blocks are leased', () => {
    beforeEach(async () => {
      await putBlocks(fileSystem, {
        '1': { times: [0, 20], series },
        '2': { times: [20, 40], series: { 'a=b': ['21'] } },
      });
    });

    it('gives those that may hold samples of the times asked for', () => {
      const { blocks } = open(fileSystem);
      const leased = (minMs: number, maxMs: number): string[] => ranges(blocks.lease(minMs, maxMs).blocks);
      deepEqual(leased(0, 100), ['0-20', '20-40']);
      deepEqual(leased(19, 19), ['0-20']);
      deepEqual(leased(20, 20), ['20-40']);
      deepEqual(leased(40, 50), []);
    });

    it('keeps their files until the last lease ends', async () => {
      const { blocks } = open(fileSystem);
      const first = blocks.lease(0, 100);
      const second = blocks.lease(0, 10);
      blocks.mark(id('1'), 'deletable');
      blocks.reload();
      blocks.reload();
      deepEqual(ranges(blocks.blocks), ['20-40']);
      deepEqual(samplesOf(first.blocks), { 'a=b': '1 21' });
      first.release();
      await blocks.settled();
      deepEqual(samplesOf(second.blocks), { 'a=b': '1' });
      second.release();
      await blocks.settled();
      deepEqual(entries(fileSystem), [id('2')]);
      equal(blocks.stats.deletionFailures, 0);
      ok(machine.openPaths.every((path) => path.includes(id('2'))));
    });

    it('does not take back one that is past retention', () => {
      const { blocks } = open(fileSystem);
      const lease = blocks.lease(0, 100);
      const facts = { nowMs: 100, headBytes: 0, diskBytes: undefined };
      blocks.reload({ options: { ...DEFAULT_RETENTION, timeMs: 70 }, facts });
      blocks.reload();
      deepEqual(ranges(blocks.blocks), ['20-40']);
      lease.release();
    });

    it('keeps them open when their directory is gone', () => {
      const { blocks } = open(fileSystem);
      const lease = blocks.lease(0, 100);
      fileSystem.rmSync(join(DIR, id('1')), { recursive: true });
      blocks.reload();
      equal(lease.blocks[0]!.index.labelNames().length, 1);
      lease.release();
      ok(machine.openPaths.every((path) => path.includes(id('2'))));
    });

    it('ends a lease once', () => {
      const lease = open(fileSystem).blocks.lease(0, 100);
      lease.release();
      throws(() => lease.release(), /released twice/);
    });

    it('closes all files when it is closed', async () => {
      const { blocks } = open(fileSystem);
      await blocks.close();
      deepEqual(machine.openPaths, []);
      deepEqual(entries(fileSystem), [id('1'), id('2')]);
    });
  });

  it('notes in the meta file what became of a compaction', async () => {
    await putBlocks(fileSystem, { '1': { times: [0, 20], series } });
    const { blocks } = open(fileSystem);
    blocks.mark(id('1'), 'failed');
    equal(blocks.blocks[0]!.meta.compaction.failed, true);
    await blocks.close();
    equal(open(fileSystem).blocks.blocks[0]!.meta.compaction.failed, true);
  });
});
