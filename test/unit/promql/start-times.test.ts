import assert from 'node:assert/strict';
import { Labels } from '../../../lib/model/index.ts';
import { Engine } from '../../../lib/promql/index.ts';
import { isStartReset } from '../../../lib/promql/functions/start-times.ts';
import { Window } from '../../../lib/promql/functions/window-driver.ts';
import { MemoryStorage } from '../../conformance/promqltest/memory-storage.ts';

const LABELS = Labels.of({ __name__: 'c_total' });

function isReset(previous: { timeMs: number; startMs: number }, current: { timeMs: number; startMs: number }): boolean {
  const window = new Window();
  window.timestamps = Float64Array.of(previous.timeMs, current.timeMs);
  window.starts = Float64Array.of(previous.startMs, current.startMs);
  return isStartReset(window, 1);
}

describe('Start times', () => {
  it('tell that a counter began anew only when they are known and later than the sample before', () => {
    const previous = { timeMs: 100, startMs: 50 };
    assert.equal(isReset(previous, { timeMs: 200, startMs: 150 }), true);
    assert.equal(isReset(previous, { timeMs: 200, startMs: 50 }), false, 'same start');
    assert.equal(isReset(previous, { timeMs: 200, startMs: 0 }), false, 'unknown');
    assert.equal(isReset(previous, { timeMs: 200, startMs: 200 }), false, "the sample's own time");
    assert.equal(isReset(previous, { timeMs: 200, startMs: 70 }), false, 'before the sample before');
    assert.equal(isReset(previous, { timeMs: 200, startMs: 100 }), true, 'a delta');
    assert.equal(isReset({ timeMs: 100, startMs: 0 }, { timeMs: 200, startMs: 100 }), false, 'after an unknown start');
    assert.equal(isReset({ timeMs: 100, startMs: 100 }, { timeMs: 200, startMs: 100 }), false, 'same start');
    assert.equal(isReset({ timeMs: 100, startMs: 120 }, { timeMs: 200, startMs: 100 }), false, 'after a wrong start');
  });

  it('count only with the feature', async () => {
    const storage = new MemoryStorage();
    storage.add(LABELS, 60_000, 10, undefined, 30_000);
    storage.add(LABELS, 120_000, 20, undefined, 90_000);
    const increase = async (startTimes: boolean): Promise<number | undefined> => {
      const engine = new Engine({ features: { startTimes } });
      const { value } = await engine.instant(storage, 'increase(c_total[2m])', 120_000);
      return value.type === 'vector' ? value.samples[0]?.value : undefined;
    };
    assert.equal(await increase(false), 20);
    assert.equal(await increase(true), 30);
  });

  it('are told to overlap once, with the number of windows', async () => {
    const storage = new MemoryStorage();
    for (let i = 1; i <= 5; i++) storage.add(LABELS, i * 60_000, i, undefined, i * 60_000 - 90_000);
    const engine = new Engine({ features: { startTimes: true } });
    const { annotations } = await engine.range(storage, 'rate(c_total[2m])', 180_000, 300_000, 60_000);
    assert.deepEqual(annotations.warnings, [
      'PromQL warning: sample has start time that overlaps with previous sample timestamp for metric "c_total" ' +
        '(3 occurrences) (1:6)',
    ]);
  });
});
