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
  let sampledSeconds = (lastMs - firstMs) / 1000;
  const averageSeconds = high - low > 1 ? sampledSeconds / (high - low - 1) : 0;
  const threshold = averageSeconds * EXTRAPOLATION_FACTOR;
  let toStart = (firstMs - window.startMs) / 1000;
  if (toStart >= threshold) toStart = averageSeconds / 2;
  if (isCounter && delta > 0 && first >= 0) {
    // A counter cannot have been below zero: do not extrapolate to before it was.
    const toZero = sampledSeconds * (first / delta);
    if (toZero < toStart) toStart = toZero;
  }
  if (startsWithin(window)) {
    toStart = 0;
    sampledSeconds = (lastMs - window.starts![low]!) / 1000;
  }
  let toEnd = (window.endMs - lastMs) / 1000;
  if (toEnd >= threshold) toEnd = averageSeconds / 2;
  const factor = sampledSeconds === 0 ? 1 : (sampledSeconds + toStart + toEnd) / sampledSeconds;
  return isRate ? factor / (window.rangeMs / 1000) : factor;
}
