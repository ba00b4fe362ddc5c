/** The kernels that add up columns in plain TypeScript, written from Prometheus promql/engine.go and util/kahansum. */

/** By step what was found; undefined where nothing was. */
export type TwinColumn = readonly (number | undefined)[];

export interface TwinSum {
  readonly sum: number;
  readonly compensation: number;
}

/** One step of compensated summation. */
export function neumaier({ sum, compensation }: TwinSum, value: number): TwinSum {
  const total = sum + value;
  if (Math.abs(total) === Infinity) return { sum: total, compensation: 0 };
  const lost = Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum;
  return { sum: total, compensation: compensation + lost };
}

/** `addSums` of values one after the other; undefined when there are none. */
export function sumsTwin([first, ...rest]: readonly number[]): TwinSum | undefined {
  if (first === undefined) return undefined;
  let total: TwinSum = { sum: first, compensation: 0 };
  for (const value of rest) total = neumaier(total, value);
  return total;
}

/** `addMeans`: a sum, or the mean from where that would be infinite. */
export function meansTwin([first, ...rest]: readonly number[]): (TwinSum & { isMean: boolean }) | undefined {
  if (first === undefined) return undefined;
  let total: TwinSum = { sum: first, compensation: 0 };
  let isMean = false;
  for (const [i, value] of rest.entries()) {
    const before = i + 1;
    const count = before + 1;
    if (!isMean && Math.abs(total.sum + value) !== Infinity) {
      total = neumaier(total, value);
      continue;
    }
    if (!isMean) total = { sum: total.sum / before, compensation: total.compensation / before };
    isMean = true;
    const weight = before / count;
    total = neumaier({ sum: weight * total.sum, compensation: weight * total.compensation }, value / count);
  }
  return { ...total, isMean };
}

/** `addExtremes`: of equal ones the first; NaN only where there is nothing else. */
export function extremesTwin(values: readonly number[], sign: number): number | undefined {
  let best: number | undefined;
  for (const value of values) {
    if (best === undefined || Number.isNaN(best) || value * sign > best * sign) best = value;
  }
  return best;
}

/** `firstBeyond`; `values.length` when there is none. */
export function firstBeyondTwin(values: TwinColumn, bounds: readonly number[], sign: number, from: number): number {
  const i = values.findIndex((value, step) => {
    return step >= from && value !== undefined && !(value * sign <= bounds[step]! * sign);
  });
  return i < 0 ? values.length : i;
}
