import { KahanSum } from '../eval/kahan.ts';
import type { Window } from './window-driver.ts';

const sumX = new KahanSum();
const sumY = new KahanSum();
const sumXY = new KahanSum();
const sumXX = new KahanSum();

/** Least squares over the window; x is seconds since `interceptMs` (Prometheus `linearRegression`). */
function linearRegression(window: Window, interceptMs: number): { slope: number; intercept: number } {
  const { timestamps, values, low, high } = window;
  for (const sum of [sumX, sumY, sumXY, sumXX]) sum.set(0, 0);
  const firstY = values[low]!;
  let isConstant = true;
  for (let i = low; i < high; i++) {
    const x = (timestamps[i]! - interceptMs) / 1000;
    const y = values[i]!;
    if (i > low && y !== firstY) isConstant = false;
    sumX.add(x);
    sumY.add(y);
    sumXY.add(x * y);
    sumXX.add(x * x);
  }
  if (isConstant) {
    return Math.abs(firstY) === Infinity ? { slope: NaN, intercept: NaN } : { slope: 0, intercept: firstY };
  }
  const count = high - low;
  const covariance = sumXY.total - (sumX.total * sumY.total) / count;
  const variance = sumXX.total - (sumX.total * sumX.total) / count;
  const slope = covariance / variance;
  return { slope, intercept: sumY.total / count - (slope * sumX.total) / count };
}

export function deriv(window: Window): number | undefined {
  if (window.high - window.low < 2) return undefined;
  // A time near the samples keeps the sums small.
  return linearRegression(window, window.timestamps[window.low]!).slope;
}

export function predictLinear(window: Window): number | undefined {
  if (window.high - window.low < 2) return undefined;
  const { slope, intercept } = linearRegression(window, window.stepMs);
  return slope * window.params[0]![window.step]! + intercept;
}

/** Holt's linear smoothing; parameters are the smoothing factor and the trend factor. */
export function doubleExponentialSmoothing(window: Window): number | undefined {
  const { values, low, high } = window;
  if (high - low < 2) return undefined;
  const smoothing = window.params[0]![window.step]!;
  const trendFactor = window.params[1]![window.step]!;
  let previous = 0;
  let smoothed = values[low]!;
  let trend = values[low + 1]! - smoothed;
  for (let i = low + 1; i < high; i++) {
    if (i > low + 1) trend = trendFactor * (smoothed - previous) + (1 - trendFactor) * trend;
    const next = smoothing * values[i]! + (1 - smoothing) * (smoothed + trend);
    previous = smoothed;
    smoothed = next;
  }
  return smoothed;
}
