import type { StepGrid } from './columns.ts';

/** When the data for a step is looked up: fixed by `@`, moved by `offset`. Ascending or constant over the steps. */
export interface LookupTimes {
  readonly firstMs: number;
  readonly stepMs: number;
  readonly lastMs: number;
}

export function lookupTimes(grid: StepGrid, at: number | undefined, offsetMs: number): LookupTimes {
  if (at !== undefined) return { firstMs: at - offsetMs, stepMs: 0, lastMs: at - offsetMs };
  const firstMs = grid.startMs - offsetMs;
  return { firstMs, stepMs: grid.stepMs, lastMs: firstMs + (grid.count - 1) * grid.stepMs };
}

/** How many of `count` steps are looked up before a time. */
export function stepsUntil(
  { firstMs, stepMs }: Pick<LookupTimes, 'firstMs' | 'stepMs'>,
  timeMs: number,
  count: number,
): number {
  if (stepMs === 0) return firstMs < timeMs ? count : 0;
  return Math.min(count, Math.max(0, Math.ceil((timeMs - firstMs) / stepMs)));
}

/** The steps at which samples from `firstMs` on are seen that are out of sight from `lastMs` on. */
export function stepsWithSamples(
  times: Pick<LookupTimes, 'firstMs' | 'stepMs'>,
  firstMs: number,
  lastMs: number,
  count: number,
): { readonly from: number; readonly end: number } {
  const end = stepsUntil(times, lastMs, count);
  return { from: stepsUntil(times, firstMs, end), end };
}
