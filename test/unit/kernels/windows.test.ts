import assert from 'node:assert/strict';
import { seededRandom } from '../../../lib/env/index.ts';
import type { WindowArguments } from '../../../lib/kernels/index.ts';
import {
  deltaTwin,
  extremeTwin,
  instantDeltaTwin,
  meanTwin,
  newestTwin,
  samplesWithin,
  sumTwin,
  type WindowSamples,
} from '../../../lib/kernels/twins/windows.ts';
import { STALE_NAN } from '../../../lib/model/index.ts';
import { anyNumber, KernelColumns, LARGE_NUMBERS, ODD_NUMBERS, wasm } from './columns.ts';

interface WindowCase {
  readonly run: (windows: WindowArguments, rangeMs: number, scratch: number) => number;
  readonly model: (samples: WindowSamples, endMs: number, rangeMs: number) => number | undefined;
  /** Up to the last digits: sums in another order. Some numbers are refused. */
  readonly isRounded?: true;
}

function delta(isCounter: boolean, isRate: boolean): WindowCase {
  return {
    run: (windows, rangeMs, scratch) =>
      wasm.sweepDelta(...windows, Number(isCounter), isRate ? rangeMs / 1000 : 0, scratch),
    model: (samples, endMs, rangeMs) => deltaTwin(samples, { endMs, rangeMs, isCounter, isRate }),
  };
}

const CASES: Readonly<Record<string, WindowCase>> = {
  'the newest sample': { run: (windows) => wasm.lookUp(...windows), model: newestTwin },
  rate: delta(true, true),
  increase: delta(true, false),
  delta: delta(false, false),
  irate: {
    run: (windows) => wasm.sweepInstantDelta(...windows, 1),
    model: (samples) => instantDeltaTwin(samples, true),
  },
  idelta: {
    run: (windows) => wasm.sweepInstantDelta(...windows, 0),
    model: (samples) => instantDeltaTwin(samples, false),
  },
  'the greatest': {
    run: (windows, _, scratch) => wasm.sweepExtreme(...windows, 1, scratch),
    model: (samples) => extremeTwin(samples, 1),
  },
  'the least': {
    run: (windows, _, scratch) => wasm.sweepExtreme(...windows, -1, scratch),
    model: (samples) => extremeTwin(samples, -1),
  },
  count: {
    run: (windows) => wasm.sweepCount(...windows),
    model: ({ length }) => (length === 0 ? undefined : length),
  },
  sum: { run: (windows, _, scratch) => wasm.sweepSum(...windows, 0, 1, scratch), model: sumTwin },
  mean: { run: (windows, _, scratch) => wasm.sweepSum(...windows, 1, 1, scratch), model: meanTwin },
  'sum of sliding windows': {
    run: (windows, _, scratch) => wasm.sweepSum(...windows, 0, 0, scratch),
    model: sumTwin,
    isRounded: true,
  },
  'mean of sliding windows': {
    run: (windows, _, scratch) => wasm.sweepSum(...windows, 1, 0, scratch),
    model: meanTwin,
    isRounded: true,
  },
};

const STEP_COUNT = 40;
const NOTHING = -12345;

describe('Kernels over windows', function () {
  this.timeout(600_000);
  for (const [name, { run, model, isRounded }] of Object.entries(CASES)) {
    it(`find what the twin finds: ${name}`, () => {
      const random = seededRandom(5);
      const seen = { empty: 0, one: 0, more: 0, values: 0 };
      for (let round = 0; round < 600; round++) {
        const { times, values } = randomSamples(random);
        const stepMs = [0, 5_000, 10_000, 7_000][round % 4]!;
        const rangeMs = 500 + 500 * Math.floor(random() * [6, 60, 400][round % 3]!);
        const firstMs = 500 * Math.floor(random() * 200) - 20_000;
        const from = round % 2 === 0 ? 0 : Math.floor(random() * STEP_COUNT);
        const end = round % 2 === 0 ? STEP_COUNT : from + Math.floor(random() * (STEP_COUNT - from + 1));
        const columns = new KernelColumns();
        const results = columns.floats(new Float64Array(STEP_COUNT).fill(NOTHING));
        const present = columns.flags(new Uint8Array(STEP_COUNT));
        const [timesAt, valuesAt] = [columns.floats(times).byteOffset, columns.floats(values).byteOffset];
        const windows: WindowArguments = [
          ...([timesAt, valuesAt, times.length, firstMs, stepMs, rangeMs, from, end] as const),
          results.byteOffset,
          present.byteOffset,
        ];
        const found = run(windows, rangeMs, columns.scratch(16 * times.length));
        const isRefused = isRounded === true && !values.every((value) => Math.abs(value) < 1e300);
        assert.equal(found, isRefused ? -1 : present.filter(Boolean).length);
        for (let step = 0; step < STEP_COUNT; step++) {
          const endMs = firstMs + step * stepMs;
          const samples = samplesWithin(times, values, endMs, rangeMs);
          const expected = step < from || step >= end || isRefused ? undefined : model(samples, endMs, rangeMs);
          assert.equal(present[step], Number(expected !== undefined));
          assertSame(results[step]!, expected ?? NOTHING, isRounded ? samples : undefined);
          seen[samples.length === 0 ? 'empty' : samples.length === 1 ? 'one' : 'more']++;
          if (expected !== undefined) seen.values++;
        }
        columns.close();
      }
      for (const count of Object.values(seen)) assert.ok(count > 500, JSON.stringify(seen));
    });
  }

  it('leave windows of a great many resets to others', () => {
    for (const count of [1000, 1003]) {
      const columns = new KernelColumns();
      const times = columns.floats(Float64Array.from({ length: 2 * count }, (_, i) => i)).byteOffset;
      const values = columns.floats(Float64Array.from({ length: 2 * count }, (_, i) => i & 1)).byteOffset;
      const results = columns.floats(new Float64Array(count)).byteOffset;
      const present = columns.flags(new Uint8Array(count));
      const windows: WindowArguments = [
        ...([times, values, 2 * count, count, 1, 2 * count, 0, count, results, present.byteOffset] as const),
      ];
      const found = wasm.sweepDelta(...windows, 1, 0, columns.scratch(8 * count));
      assert.equal(found, count === 1000 ? count : -1);
      assert.equal(present.includes(1), found > 0);
      columns.close();
    }
  });

  it('see a stale marker wherever it is, and take no other NaN for one', () => {
    const columns = new KernelColumns();
    for (const length of [1, 2, 7, 8]) {
      const column = columns.floats(new Float64Array(length).fill(NaN));
      assert.equal(wasm.hasStaleMarkers(column.byteOffset, length), 0);
      for (let i = 0; i < length; i++) {
        column[i] = STALE_NAN;
        assert.equal(wasm.hasStaleMarkers(column.byteOffset, length), 1);
        column[i] = 1;
      }
    }
    columns.close();
  });
});

/** Counters with resets and numbers of any size, every other series at even intervals. */
function randomSamples(random: () => number): { times: number[]; values: number[] } {
  const length = 1 + Math.floor(random() * 60);
  const isEven = random() < 0.5;
  const isCounter = random() < 0.5;
  const oddness = [0, 0.1, 0.5][Math.floor(random() * 3)]!;
  const odd = random() < 0.5 ? ODD_NUMBERS : LARGE_NUMBERS;
  let timeMs = 500 * Math.floor(random() * 80);
  let value = random() < 0.5 ? 0 : 1e6 * random();
  const times = Array.from({ length }, () => (timeMs += isEven ? 5_000 : 500 + 500 * Math.floor(random() * 18)));
  const values = times.map(() => {
    if (!isCounter || random() < oddness) return anyNumber(random, oddness, odd);
    return (value = random() < 0.05 ? 0 : value + Math.floor(random() * 10));
  });
  return { times, values };
}

/** @param samples of a sum in another order; undefined where all is to be the same to the last bit */
function assertSame(actual: number, expected: number, samples: WindowSamples | undefined): void {
  if (Object.is(actual, expected)) return;
  const size = samples?.reduce((sum, [, value]) => sum + Math.abs(value), 0) ?? NaN;
  const isNear = Math.abs(actual - expected) <= 2 ** -52 * Math.abs(expected) + 2 ** -96 * size;
  assert.ok(isNear, `${actual} instead of ${expected}`);
}
