import { startsWithin } from './start-times.ts';
import type { Window } from './window-driver.ts';

/** A gap of up to this many average intervals at an end of the window is taken for a missing sample. */
const EXTRAPOLATION_FACTOR = 1.1;

/** `rate` is an increase per second; `delta` is no counter. */
export interface DeltaKind {
  readonly isCounter: boolean;
  readonly isRate: boolean;
}

/**
 * What the difference between the first and the last sample of a window is multiplied with, so that it becomes that of the
 * whole window, or its rate (Prometheus `extrapolatedRate`). The window has two samples or more, or one whose counter
 * started within the window: that start is taken for a sample of 0.
 * @param first the first value, of a histogram its count
 * @param delta the difference, resets of the counter added
 */
export function extrapolation(window: Window, { isCounter, isRate }: DeltaKind, first: number, delta: number): number {
  const { timestamps, low, high } = window;
  const firstMs = timestamps[low]!;
  const lastMs = timestamps[high - 1]!;
  const isStarted = startsWithin(window);
  const sampledSeconds = (lastMs - firstMs) / 1000;
  const averageSeconds = high - low > 1 ? sampledSeconds / (high - low - 1) : 0;
  const toStart = isStarted ? 0 : (firstMs - window.startMs) / 1000;
  const toEnd = (window.endMs - lastMs) / 1000;
  const zeroSeconds = isCounter && !isStarted ? secondsToZero(sampledSeconds, first, delta) : Infinity;
  const coveredSeconds = isStarted ? (lastMs - window.starts![low]!) / 1000 : sampledSeconds;
  const factor = extrapolationFactor(coveredSeconds, averageSeconds, toStart, toEnd, zeroSeconds);
  return isRate ? factor / (window.rangeMs / 1000) : factor;
}

/** How long before its first sample a counter was zero, had it grown as it did since: it is not extrapolated to before. */
function secondsToZero(sampledSeconds: number, first: number, delta: number): number {
  return delta > 0 && first >= 0 ? sampledSeconds * (first / delta) : Infinity;
}

/**
 * @param sampledSeconds from the first sample to the last
 * @param averageSeconds between two samples
 * @param toStart from the start of the window to the first sample, in seconds, as `toEnd` from the last to its end
 */
function extrapolationFactor(
  sampledSeconds: number,
  averageSeconds: number,
  toStart: number,
  toEnd: number,
  zeroSeconds: number,
): number {
  const threshold = averageSeconds * EXTRAPOLATION_FACTOR;
  if (toStart >= threshold) toStart = averageSeconds / 2;
  if (zeroSeconds < toStart) toStart = zeroSeconds;
  if (toEnd >= threshold) toEnd = averageSeconds / 2;
  return sampledSeconds === 0 ? 1 : (sampledSeconds + toStart + toEnd) / sampledSeconds;
}
