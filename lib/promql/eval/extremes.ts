/** The greatest of some numbers; NaN when one is. (`Math.max(...values)` would put them all on the stack.) */
export function greatest(values: Float64Array): number {
  return values.reduce((max, value) => Math.max(max, value), -Infinity);
}

/** The least of some numbers; NaN when one is. */
export function least(values: Float64Array): number {
  return values.reduce((min, value) => Math.min(min, value), Infinity);
}
