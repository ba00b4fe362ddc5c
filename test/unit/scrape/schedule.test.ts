import assert from 'node:assert/strict';
import { Labels } from '../../../lib/model/index.ts';
import { scheduleOf } from '../../../agent/scrape/schedule.ts';
import type { Target } from '../../../agent/scrape/target.ts';

const TARGETS = 2_000;

function target(i: number, intervalMs: number): Target {
  return {
    key: `target ${i}`,
    discoveredLabels: Labels.EMPTY,
    labels: Labels.EMPTY,
    url: new URL('http://127.0.0.1/metrics'),
    intervalMs,
    timeoutMs: intervalMs,
  };
}

const schedules = (intervalMs: number, seed = 'node-a') =>
  Array.from({ length: TARGETS }, (_, i) => scheduleOf(target(i, intervalMs), seed));

describe('the schedule of scrapes', () => {
  for (const [intervalMs, groupMs, drawnMs] of [
    [60_000, 1_000, 20],
    [15_000, 1_000, 20],
    [5_000, 1_000, 20],
    [1_000, 200, 4],
  ] as const) {
    it(`gives each group of ${groupMs} ms its share of an interval of ${intervalMs} ms, within ${drawnMs} ms`, () => {
      const groups = intervalMs / groupMs;
      const offsets = schedules(intervalMs).map(({ offsetMs }) => offsetMs);
      const phaseMs = Math.min(...offsets.map((ms) => ms % groupMs));
      const perGroup = Array.from({ length: groups }, () => 0);
      for (const ms of offsets) {
        assert.ok(ms >= 0 && ms < intervalMs && Number.isInteger(ms));
        assert.ok((ms - phaseMs) % groupMs < drawnMs, `${ms} ms`);
        perGroup[Math.floor((ms - phaseMs) / groupMs)]!++;
      }
      const share = TARGETS / groups;
      for (const count of perGroup) assert.ok(Math.abs(count - share) < 5 * Math.sqrt(share), perGroup.join(' '));
      const distinct = new Set(offsets.map((ms) => ms % groupMs)).size;
      assert.equal(distinct, drawnMs, 'spread within the group');
    });
  }

  it('is the same again for the same target and agent, and shifted as a whole between agents', () => {
    const once = schedules(15_000);
    assert.deepEqual(schedules(15_000), once);
    const phase = (seed: string): number =>
      Math.min(...schedules(15_000, seed).map(({ offsetMs }) => offsetMs % 1_000));
    const phases = Array.from({ length: 8 }, (_, i) => phase(`node-${i}`));
    assert.ok(Math.max(...phases) - Math.min(...phases) > 300, phases.join(' '));
  });

  it('spreads first scrapes evenly over the first second, and over a shorter interval', () => {
    for (const [intervalMs, windowMs] of [
      [15_000, 1_000],
      [500, 500],
    ] as const) {
      const tenths = Array.from({ length: 10 }, () => 0);
      for (const { firstDelayMs } of schedules(intervalMs)) tenths[Math.floor((firstDelayMs / windowMs) * 10)]!++;
      for (const count of tenths) assert.ok(Math.abs(count - TARGETS / 10) < 70, tenths.join(' '));
    }
  });

  it('knows intervals that are too short for groups', () => {
    for (const intervalMs of [1, 3, 7, 999, 1_001]) {
      for (const { offsetMs } of schedules(intervalMs)) assert.ok(offsetMs >= 0 && offsetMs < intervalMs);
    }
  });
});
