import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { Labels } from '../../../lib/model/index.ts';
import { ColumnMemory } from '../../../lib/promql/eval/column-memory.ts';
import {
  CountKernel,
  ExtremeKernel,
  LastKernel,
  MeanKernel,
  PresentKernel,
  SumKernel,
} from '../../../lib/promql/functions/over-time.ts';
import { DeltaKernel, InstantDeltaKernel } from '../../../lib/promql/functions/rate.ts';
import { Window, type WindowKernel } from '../../../lib/promql/functions/window-driver.ts';
import { WindowSweeper } from '../../../lib/promql/eval/window-sweeper.ts';
import { Engine } from '../../../lib/promql/index.ts';
import { MemoryStorage } from '../../conformance/promqltest/memory-storage.ts';

const KERNELS: Readonly<Record<string, () => WindowKernel>> = {
  rate: () => new DeltaKernel({ isCounter: true, isRate: true }),
  increase: () => new DeltaKernel({ isCounter: true, isRate: false }),
  delta: () => new DeltaKernel({ isCounter: false, isRate: false }),
  irate: () => new InstantDeltaKernel(true),
  idelta: () => new InstantDeltaKernel(false),
  max_over_time: () => new ExtremeKernel('max'),
  min_over_time: () => new ExtremeKernel('min'),
  sum_over_time: () => new SumKernel(),
  avg_over_time: () => new MeanKernel(),
  count_over_time: () => new CountKernel(),
  present_over_time: () => new PresentKernel(),
  last_over_time: () => new LastKernel(),
};

describe('Window functions that see all steps in one call', function () {
  this.timeout(600_000);
  const kernels = createKernels();

  for (const [name, create] of Object.entries(KERNELS)) {
    it(`say bit for bit what they say from step to step: ${name}`, () => {
      const random = seededRandom(3);
      let withValue = 0;
      let left = 0;
      for (let round = 0; round < 600; round++) {
        const times = { firstMs: -50_000, stepMs: [0, 7_000, 14_000, 60_000][round % 4]!, lastMs: 0 };
        const memory = new ColumnMemory(kernels);
        const window = loaded(random, 20_000 + 40_000 * (round % 5), memory);
        window.slideMs = times.stepMs;
        const count = 40;
        const values = memory.floats(count)!;
        const present = memory.flags(count)!;
        const found = create().sweep!(window, new WindowSweeper(times, values, present, memory));
        assert.equal(Math.max(0, found), present.filter(Boolean).length);
        const stepped = create();
        stepped.begin?.(window);
        left += Number(found < 0);
        if (found < 0) continue;
        for (let step = 0; step < count; step++) {
          slide(window, times.firstMs + step * times.stepMs);
          const has = window.high > window.low && stepped.evaluate(window);
          assert.equal(present[step], Number(has));
          if (has) assert.ok(Object.is(values[step], stepped.result), `${values[step]} ${stepped.result}`);
          withValue += Number(has);
        }
        memory.close();
      }
      assert.ok(withValue > 1000, `${withValue} windows`);
      assert.equal(left > 0, name === 'sum_over_time' || name === 'avg_over_time');
    });
  }

  it('leave to single steps what they refuse', async () => {
    const storage = new MemoryStorage();
    const values = Array.from({ length: 100 }, (_, i) => (i === 50 ? NaN : i));
    for (const [i, value] of values.entries()) storage.add(Labels.of({ __name__: 'a' }), i * 1000, value);
    const { value } = await new Engine().range(storage, 'sum_over_time(a[20s])', 19_000, 99_000, 1000);
    assert.ok(value.type === 'matrix');
    const expected = Array.from({ length: 81 }, (_, i) => values.slice(i, i + 20).reduce((sum, one) => sum + one));
    assert.deepEqual(Array.from(value.series[0]!.values), expected);
  });
});

const ODD: readonly number[] = [NaN, Infinity, -Infinity, -0, 1.7e308, -1.7e308, 5e-324];

/** Every other series is scraped at even intervals. */
function loaded(random: () => number, rangeMs: number, memory: ColumnMemory): Window {
  const window = new Window();
  const length = 1 + Math.floor(random() * 60);
  window.length = length;
  window.rangeMs = rangeMs;
  window.timestamps = memory.floats(length)!;
  window.values = memory.floats(length)!;
  const isEven = random() < 0.5;
  const resets = random() < 0.3 ? 0 : 0.1;
  const odd = random() < 0.5 ? 0 : 0.05;
  let timeMs = -20_000;
  let value = random() < 0.5 ? 0 : 1e6 * random();
  for (let i = 0; i < length; i++) {
    timeMs += isEven ? 7_000 : 1 + Math.floor(random() * (random() < 0.1 ? 60_000 : 12_000));
    window.timestamps[i] = timeMs;
    value = random() < resets ? 0 : value + random() * 10;
    window.values[i] = random() < odd ? ODD[Math.floor(random() * ODD.length)]! : value;
  }
  return window;
}

function slide(window: Window, endMs: number): void {
  const { timestamps, length, rangeMs } = window;
  window.endMs = endMs;
  window.startMs = endMs - rangeMs;
  while (window.high < length && timestamps[window.high]! <= endMs) window.high++;
  while (window.low < window.high && timestamps[window.low]! <= window.startMs) window.low++;
}
