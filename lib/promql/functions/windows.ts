import { type FloatHistogram, formatGeneral } from '../../model/index.ts';
import type { QueryContext } from '../eval/context.ts';
import { executionError } from '../eval/context.ts';
import { isCounterReset } from '../histogram/counter-reset.ts';
import { equalHistograms } from '../histogram/equality.ts';
import type { DeltaKind } from './extrapolate.ts';
import { histogramTotal } from './histogram-over-time.ts';
import { histogramDelta, HistogramResets } from './histogram-rate.ts';
import { MixedKernel } from './mixed-window.ts';
import {
  CountKernel,
  ExtremeKernel,
  ExtremeTimeKernel,
  FirstKernel,
  LastKernel,
  mad,
  MeanKernel,
  PresentKernel,
  stddev,
  stdvar,
  SumKernel,
} from './over-time.ts';
import { extendedHistogramDelta } from './extended-histogram-rate.ts';
import { ExtendedDeltaKernel } from './extended-rate.ts';
import { AnchoredKernel } from './extended-window.ts';
import { QuantileKernel } from './quantile-over-time.ts';
import { ChangesKernel, DeltaKernel, InstantDeltaKernel, MixedInstantDeltaKernel } from './rate.ts';
import { deriv, doubleExponentialSmoothing, predictLinear } from './trend.ts';
import type { Window, WindowCall, WindowFunction, WindowKernel } from './window-driver.ts';

/** A kernel without state: `compute` looks at the whole window; undefined is "no value". */
function plain(compute: (window: Window) => number | undefined): () => WindowKernel {
  return () => ({
    result: 0,
    evaluate(window) {
      const value = compute(window);
      if (value === undefined) return false;
      this.result = value;
      return true;
    },
  });
}

/** `rate` and its like, of floats and of histograms. */
function delta(kind: DeltaKind): WindowFunction {
  return {
    create: (extension) => (extension === undefined ? new DeltaKernel(kind) : new ExtendedDeltaKernel(kind, extension)),
    mixed(floats, notes, extension) {
      if (extension !== undefined) {
        return new MixedKernel(floats, (window) => extendedHistogramDelta(window, kind, extension, notes), notes);
      }
      const resets = new HistogramResets();
      const ofHistograms = (window: Window): FloatHistogram | undefined => histogramDelta(window, kind, resets, notes);
      return new MixedKernel(floats, ofHistograms, notes, (window) => resets.begin(window));
    },
  };
}

function instantDelta(isRate: boolean): WindowFunction {
  return {
    create: () => new InstantDeltaKernel(isRate),
    mixed: (_, notes) => new MixedInstantDeltaKernel(isRate, notes),
  };
}

function total(what: 'sum' | 'mean'): WindowFunction {
  return {
    create: () => (what === 'sum' ? new SumKernel() : new MeanKernel()),
    mixed: (floats, notes) => new MixedKernel(floats, (window) => histogramTotal(window, what, notes), notes),
  };
}

function changes(
  isChange: (previous: number, current: number) => boolean,
  isHistogramChange: (previous: FloatHistogram, current: FloatHistogram) => boolean,
): WindowFunction {
  return {
    takesHistograms: true,
    create(extension) {
      const kernel = new ChangesKernel(isChange, isHistogramChange);
      return extension === undefined ? kernel : new AnchoredKernel(kernel);
    },
  };
}

function checkQuantile(call: WindowCall, context: QueryContext): void {
  for (const bad of new Set(call.params[0]!.filter((q) => !(q >= 0 && q <= 1)))) {
    context.warn(`quantile value should be between 0 and 1, got ${formatGeneral(bad)}`, call.expr.args[0]!);
  }
}

function checkSmoothing(call: WindowCall): void {
  for (const [i, name] of ['smoothing', 'trend'].entries()) {
    const factor = call.params[i]!.find((value) => value <= 0 || value >= 1);
    if (factor === undefined) continue;
    const short = name === 'smoothing' ? 'sf' : 'tf';
    const sign = Object.is(factor, -0) ? '-' : '';
    const found = Number.isFinite(factor) ? sign + factor.toFixed(6) : formatGeneral(factor);
    throw executionError(`invalid ${name} factor. Expected: 0 < ${short} < 1, got: ${found}`);
  }
}

/** Functions over range vectors, by name. */
export const WINDOW_FUNCTIONS: ReadonlyMap<string, WindowFunction> = new Map<string, WindowFunction>([
  ['rate', { ...delta({ isCounter: true, isRate: true }), expectsCounter: true, usesStarts: true }],
  ['increase', { ...delta({ isCounter: true, isRate: false }), expectsCounter: true, usesStarts: true }],
  ['delta', delta({ isCounter: false, isRate: false })],
  ['irate', { ...instantDelta(true), usesStarts: true }],
  ['idelta', instantDelta(false)],
  [
    'changes',
    changes(
      (a, b) => a !== b && !(a !== a && b !== b),
      (a, b) => !equalHistograms(a, b),
    ),
  ],
  [
    'resets',
    {
      ...changes(
        (previous, current) => current < previous,
        (previous, current) => isCounterReset(current, previous),
      ),
      usesStarts: true,
    },
  ],
  ['deriv', { create: plain(deriv), rescans: true }],
  ['predict_linear', { create: plain(predictLinear), rescans: true }],
  [
    'double_exponential_smoothing',
    { create: plain(doubleExponentialSmoothing), rescans: true, check: checkSmoothing, checksAll: true },
  ],
  ['sum_over_time', total('sum')],
  ['avg_over_time', total('mean')],
  ['min_over_time', { create: () => new ExtremeKernel('min') }],
  ['max_over_time', { create: () => new ExtremeKernel('max') }],
  ['ts_of_min_over_time', { create: () => new ExtremeTimeKernel('min') }],
  ['ts_of_max_over_time', { create: () => new ExtremeTimeKernel('max') }],
  ['count_over_time', { create: () => new CountKernel(), takesHistograms: true }],
  ['present_over_time', { create: () => new PresentKernel(), takesHistograms: true }],
  ['absent_over_time', { create: () => new PresentKernel(), takesHistograms: true }],
  ['last_over_time', { create: () => new LastKernel(), takesHistograms: true, keepsName: true }],
  ['first_over_time', { create: () => new FirstKernel(), takesHistograms: true, keepsName: true }],
  [
    'ts_of_last_over_time',
    { create: plain((window) => window.timestamps[window.high - 1]! / 1000), takesHistograms: true },
  ],
  [
    'ts_of_first_over_time',
    { create: plain((window) => window.timestamps[window.low]! / 1000), takesHistograms: true },
  ],
  ['stdvar_over_time', { create: plain(stdvar), rescans: true }],
  ['stddev_over_time', { create: plain(stddev), rescans: true }],
  ['mad_over_time', { create: plain(mad), rescans: true }],
  ['quantile_over_time', { create: () => new QuantileKernel(), rescans: true, check: checkQuantile }],
]);
