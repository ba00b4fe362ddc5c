import { isStaleNaN } from '../../model/index.ts';

/** By step what was found; undefined where nothing was. */
export type TwinColumn = (number | undefined)[];

/** `lookUp` in plain TypeScript. */
export function lookUpTwin(
  times: readonly number[],
  values: readonly number[],
  steps: readonly number[],
  lookbackMs: number,
): TwinColumn {
  return steps.map((stepMs) => {
    const i = times.findLastIndex((timeMs) => timeMs <= stepMs);
    return i < 0 || times[i]! <= stepMs - lookbackMs || isStaleNaN(values[i]!) ? undefined : values[i];
  });
}

/** `addSums` of columns one after the other in plain TypeScript: sums and their compensations. */
export function addSumsTwin(columns: readonly TwinColumn[], step: number): { sum: number; compensation: number } {
  let isBegun = false;
  let sum = 0;
  let compensation = 0;
  for (const column of columns) {
    const value = column[step];
    if (value === undefined) continue;
    if (!isBegun) {
      isBegun = true;
      sum = value;
      continue;
    }
    const total = sum + value;
    if (Math.abs(total) === Infinity) compensation = 0;
    else compensation += Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum;
    sum = total;
  }
  return { sum, compensation };
}
