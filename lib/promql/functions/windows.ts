import { formatFloat } from '../../model/index.ts';
import type { QueryContext } from '../eval/context.ts';
import { executionError } from '../eval/context.ts';
import {
  ExtremeKernel,
  FirstKernel,
  LastKernel,
  mad,
  MeanKernel,
  quantileOverTime,
  stddev,
  stdvar,
  SumKernel,
} from './over-time.ts';
import { AnchoredKernel } from './extended-window.ts';
import { ExtendedDeltaKernel } from './extended-rate.ts';
import { ChangesKernel, DeltaKernel, InstantDeltaKernel } from './rate.ts';
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

function delta(kind: { isCounter: boolean; isRate: boolean }): WindowFunction['create'] {
  return (extension) => (extension === undefined ? new DeltaKernel(kind) : new ExtendedDeltaKernel(kind, extension));
}

function changes(isChange: (previous: number, current: number) => boolean): WindowFunction['create'] {
  return (extension) => {
    const kernel = new ChangesKernel(isChange);
    return extension === undefined ? kernel : new AnchoredKernel(kernel);
  };
}

function checkQuantile(call: WindowCall, context: QueryContext): void {
  const bad = call.params[0]!.find((q) => !(q >= 0 && q <= 1));
  if (bad === undefined) return;
  context.warn(`quantile value should be between 0 and 1, got ${formatFloat(bad)}`, call.expr.args[0]!);
}

function checkSmoothing(call: WindowCall): void {
  for (const [i, name] of ['smoothing', 'trend'].entries()) {
    const factor = call.params[i]!.find((value) => value <= 0 || value >= 1);
    if (factor === undefined) continue;
    const short = name === 'smoothing' ? 'sf' : 'tf';
    throw executionError(`invalid ${name} factor. Expected: 0 < ${short} < 1, got: ${factor.toFixed(6)}`);
  }
}

/** Functions over range vectors, by name. */
export const WINDOW_FUNCTIONS: ReadonlyMap<string, WindowFunction> = new Map<string, WindowFunction>([
  ['rate', { create: delta({ isCounter: true, isRate: true }), expectsCounter: true }],
  ['increase', { create: delta({ isCounter: true, isRate: false }), expectsCounter: true }],
  ['delta', { create: delta({ isCounter: false, isRate: false }) }],
  ['irate', { create: () => new InstantDeltaKernel(true) }],
  ['idelta', { create: () => new InstantDeltaKernel(false) }],
  ['changes', { create: changes((a, b) => a !== b && !(a !== a && b !== b)) }],
  ['resets', { create: changes((previous, current) => current < previous) }],
  ['deriv', { create: plain(deriv), rescans: true }],
  ['predict_linear', { create: plain(predictLinear), rescans: true }],
  ['double_exponential_smoothing', { create: plain(doubleExponentialSmoothing), rescans: true, check: checkSmoothing }],
  ['sum_over_time', { create: () => new SumKernel() }],
  ['avg_over_time', { create: () => new MeanKernel() }],
  ['min_over_time', { create: () => new ExtremeKernel('min', 'value') }],
  ['max_over_time', { create: () => new ExtremeKernel('max', 'value') }],
  ['ts_of_min_over_time', { create: () => new ExtremeKernel('min', 'timestamp') }],
  ['ts_of_max_over_time', { create: () => new ExtremeKernel('max', 'timestamp') }],
  ['count_over_time', { create: plain((window) => window.high - window.low), takesHistograms: true }],
  ['present_over_time', { create: plain(() => 1), takesHistograms: true }],
  ['absent_over_time', { create: plain(() => 1), takesHistograms: true }],
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
  ['quantile_over_time', { create: plain(quantileOverTime), rescans: true, check: checkQuantile }],
]);
