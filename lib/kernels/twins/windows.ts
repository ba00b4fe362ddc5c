/**
 * The kernels over windows in plain TypeScript, written from Prometheus promql/functions.go: each looks at the samples of one
 * window, as pairs of time (ms) and value. Undefined is "no value".
 */
import { isStaleNaN } from '../../model/index.ts';
import { meansTwin, neumaier } from './accumulate.ts';

export type WindowSamples = readonly (readonly [timeMs: number, value: number])[];

/** The samples of (endMs − rangeMs, endMs]. */
export function samplesWithin(
  times: readonly number[],
  values: readonly number[],
  endMs: number,
  rangeMs: number,
): WindowSamples {
  return times.flatMap((timeMs, i) => (timeMs > endMs - rangeMs && timeMs <= endMs ? [[timeMs, values[i]!]] : []));
}

/** `lookUp` */
export function newestTwin(samples: WindowSamples): number | undefined {
  const value = samples.at(-1)?.[1];
  return value === undefined || isStaleNaN(value) ? undefined : value;
}

/** `sweepDelta` of a window that ends at `endMs`. */
export function deltaTwin(
  samples: WindowSamples,
  { endMs, rangeMs, isCounter, isRate }: { endMs: number; rangeMs: number; isCounter: boolean; isRate: boolean },
): number | undefined {
  if (samples.length < 2) return undefined;
  const [firstMs, first] = samples[0]!;
  const [lastMs, last] = samples.at(-1)!;
  let delta = last - first;
  for (const [i, [, value]] of samples.entries()) {
    const previous = samples[i - 1]?.[1];
    if (isCounter && previous !== undefined && value < previous) delta += previous;
  }
  const sampled = (lastMs - firstMs) / 1000;
  const average = sampled / (samples.length - 1);
  let toStart = (firstMs - (endMs - rangeMs)) / 1000;
  let toEnd = (endMs - lastMs) / 1000;
  if (toStart >= average * 1.1) toStart = average / 2;
  if (isCounter && delta > 0 && first >= 0) toStart = Math.min(toStart, sampled * (first / delta));
  if (toEnd >= average * 1.1) toEnd = average / 2;
  const factor = (sampled + toStart + toEnd) / sampled;
  return delta * (isRate ? factor / (rangeMs / 1000) : factor);
}

/** `sweepInstantDelta` */
export function instantDeltaTwin(samples: WindowSamples, isRate: boolean): number | undefined {
  if (samples.length < 2) return undefined;
  const [previousMs, previous] = samples.at(-2)!;
  const [lastMs, last] = samples.at(-1)!;
  if (!isRate) return last - previous;
  return (last < previous ? last : last - previous) / ((lastMs - previousMs) / 1000);
}

/** `sweepExtreme`: of equal ones the first; NaN only where there is nothing else. */
export function extremeTwin(samples: WindowSamples, sign: number): number | undefined {
  let best: number | undefined;
  for (const [, value] of samples) {
    if (best === undefined || Number.isNaN(best) || value * sign > best * sign) best = value;
  }
  return best;
}

/** `sweepSum` where each window is summed by itself. */
export function sumTwin(samples: WindowSamples): number | undefined {
  if (samples.length === 0) return undefined;
  let total = { sum: 0, compensation: 0 };
  for (const [, value] of samples) total = neumaier(total, value);
  return Math.abs(total.sum) === Infinity ? total.sum : total.sum + total.compensation;
}

/** `sweepSum` of means: sum over count, until the sum overflows; from there incrementally. */
export function meanTwin(samples: WindowSamples): number | undefined {
  const total = meansTwin(samples.map(([, value]) => value));
  if (total === undefined || total.isMean) return total && total.sum + total.compensation;
  return total.sum / samples.length + total.compensation / samples.length;
}
