/**
 * Neumaier's compensated summation, as Prometheus's `util/kahansum`: the sum is `sum + compensation`. Fields instead of
 * return values, so that nothing is allocated per sample.
 */
export class KahanSum {
  sum = 0;
  compensation = 0;

  set(sum: number, compensation: number): void {
    this.sum = sum;
    this.compensation = compensation;
  }

  add(value: number): void {
    this.compensation = compensationOf(this.sum, value, this.compensation);
    this.sum += value;
  }

  get total(): number {
    return this.sum + this.compensation;
  }
}

/** @returns the compensation of `sum + value`. @param compensation of the two */
export function compensationOf(sum: number, value: number, compensation: number): number {
  const total = sum + value;
  if (Math.abs(total) === Infinity) return 0;
  return compensation + (Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum);
}

/**
 * The mean as Prometheus takes it: sum over count, until the sum overflows; from there incrementally.
 * @param values samples `low` up to `high`, at least one
 */
export function mean(values: Float64Array, low: number, high: number): number {
  const kahan = new KahanSum();
  kahan.set(values[low]!, 0);
  let isIncremental = false;
  for (let i = low + 1; i < high; i++) {
    const count = i - low + 1;
    const value = values[i]!;
    if (!isIncremental) {
      const { sum, compensation } = kahan;
      kahan.add(value);
      if (Math.abs(kahan.sum) !== Infinity) continue;
      isIncremental = true;
      kahan.set(sum / (count - 1), compensation / (count - 1));
    }
    const weight = (count - 1) / count;
    kahan.set(weight * kahan.sum, weight * kahan.compensation);
    kahan.add(value / count);
  }
  const count = high - low;
  return isIncremental ? kahan.total : kahan.sum / count + kahan.compensation / count;
}
