import { deepEqual, equal } from 'node:assert/strict';
import { createLogger } from '../../../lib/env/index.ts';
import { DiskSpace } from '../../../lib/tsdb/disk-space.ts';
import { beyondRetention, DEFAULT_RETENTION, type RetentionFacts } from '../../../lib/tsdb/retention.ts';
import { RetentionClock } from '../../../lib/tsdb/retention-clock.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe('retention', () => {
  const blocks = [100, 300, 200].map((maxTime) => ({ meta: { maxTime }, sizeBytes: 10 }));
  const ends = (kept: readonly { meta: { maxTime: number } }[]): number[] => kept.map((block) => block.meta.maxTime);
  const facts: RetentionFacts = { nowMs: 320, headBytes: 5, diskBytes: 200 };

  const byTime = (timeMs: number, nowMs = facts.nowMs): number[] =>
    ends(beyondRetention(blocks, { ...DEFAULT_RETENTION, timeMs }, { ...facts, nowMs }).time);
  const bySize = (sizeBytes: number, diskPercent = 0, more: Partial<RetentionFacts> = {}): number[] =>
    ends(beyondRetention(blocks, { timeMs: 0, sizeBytes, diskPercent }, { ...facts, ...more }).size);

  it('deletes what ended the retention ago or earlier', () => {
    deepEqual(byTime(121), [100]);
    deepEqual(byTime(120), [200, 100]);
    deepEqual(byTime(221), []);
  });

  it('keeps the newest block however old it is', () => {
    deepEqual(byTime(1, 1e12), [200, 100]);
    deepEqual(bySize(1), [200, 100]);
  });

  it('keeps all where no limit is set', () => {
    deepEqual(byTime(0, 1e12), []);
    deepEqual(bySize(0), []);
  });

  it('deletes the oldest blocks until blocks, log and head chunks fit', () => {
    deepEqual(bySize(35), []);
    deepEqual(bySize(34), [100]);
    deepEqual(bySize(25), [100]);
    deepEqual(bySize(24), [200, 100]);
  });

  it('takes a share of the disk in place of a size', () => {
    deepEqual(bySize(1, 20), []);
    deepEqual(bySize(0, 17), [100]);
    deepEqual(bySize(34, 20, { diskBytes: undefined }), [100]);
  });
});

describe("retention's clock", () => {
  it('is the earlier of the clock and the newest sample', () => {
    const clock = new RetentionClock(0, 0);
    equal(clock.now(1_000, 900, 1_000), 900);
    equal(clock.now(1_900, 2_000, 2_000), 1_900);
  });

  it('follows time as it passes, and what NTP corrects', () => {
    const clock = new RetentionClock(5 * DAY_MS, 77);
    equal(clock.now(6 * DAY_MS, 6 * DAY_MS, DAY_MS + 77), 6 * DAY_MS);
    equal(clock.now(6 * DAY_MS + HOUR_MS, 7 * DAY_MS, DAY_MS + 77), 6 * DAY_MS + HOUR_MS);
    equal(clock.leapt, false);
  });

  it('does not believe a leap of clock and samples until it has lasted a day', () => {
    const clock = new RetentionClock(0, 0);
    const ahead = 3_650 * DAY_MS;
    equal(clock.now(ahead, ahead, 1_000), 1_000);
    equal(clock.leapt, true);
    equal(clock.now(ahead + DAY_MS - 1, ahead + DAY_MS - 1, DAY_MS - 1), DAY_MS - 1);
    equal(clock.now(ahead + DAY_MS, ahead + DAY_MS, DAY_MS + 1_000), ahead + DAY_MS);
    equal(clock.leapt, false);
    equal(clock.now(ahead + 2 * DAY_MS, ahead + 2 * DAY_MS, 2 * DAY_MS), ahead + 2 * DAY_MS);
  });

  it('forgets a leap that went back', () => {
    const clock = new RetentionClock(0, 0);
    clock.now(DAY_MS, DAY_MS, 0);
    equal(clock.now(10, DAY_MS, 10), 10);
    equal(clock.leapt, false);
    clock.now(2 * DAY_MS, 2 * DAY_MS, DAY_MS - 10);
    equal(clock.now(3 * DAY_MS, 3 * DAY_MS, 2 * DAY_MS - 11), 2 * DAY_MS - 11);
  });

  it('follows a clock that goes back', () => {
    const clock = new RetentionClock(10 * DAY_MS, 0);
    equal(clock.now(9 * DAY_MS, 10 * DAY_MS, HOUR_MS), 9 * DAY_MS);
  });

  it('begins with the first data of an empty database', () => {
    const clock = new RetentionClock(-Infinity, 0);
    equal(clock.now(DAY_MS, -Infinity, 0), -Infinity);
    equal(clock.now(40 * DAY_MS, 40 * DAY_MS, HOUR_MS), 40 * DAY_MS);
    equal(clock.now(41 * DAY_MS, 41 * DAY_MS, 2 * HOUR_MS), 40 * DAY_MS + HOUR_MS);
  });
});

describe('disk space', () => {
  const space = (freeBytes: () => number, reservedBytes?: number): DiskSpace => {
    const statfsSync = (): object => ({ bsize: 1, blocks: 1_000, bavail: freeBytes() });
    return new DiskSpace({ statfsSync } as never, '/data', createLogger('silent'), reservedBytes);
  };

  it('is low below the reserve, and until a quarter more than it is free', () => {
    let freeBytes = 100;
    const disk = space(() => freeBytes, 100);
    equal(disk.check(), 'ok');
    freeBytes = 99;
    equal(disk.check(), 'low');
    freeBytes = 124;
    equal(disk.check(), 'low');
    freeBytes = 125;
    equal(disk.check(), 'ok');
    freeBytes = 100;
    equal(disk.check(), 'ok');
  });

  it('reserves a twentieth of the disk by default', () => {
    equal(space(() => 50).check(), 'ok');
    equal(space(() => 49).check(), 'low');
    equal(space(() => 49).totalBytes, 1_000);
  });

  it('is never low where the file system does not say', () => {
    const disk = space(() => {
      throw new Error('not supported');
    });
    equal(disk.check(), 'ok');
    equal(disk.totalBytes, undefined);
  });
});
