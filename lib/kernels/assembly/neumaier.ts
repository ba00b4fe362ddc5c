/** A step of Neumaier's summation, as `KahanSum` of lib/promql/eval: the compensation of `total`, which is `sum` + `value`. */
// @ts-ignore: decorator
@inline
export function compensated(sum: f64, value: f64, total: f64, compensation: f64): f64 {
  if (Math.abs(total) == Infinity) return 0;
  const isLarge = Math.abs(sum) >= Math.abs(value);
  return compensation + (isLarge ? sum - total + value : value - total + sum);
}
