/** A bucket's bounds. */
export interface Bounds {
  readonly lower: number;
  readonly upper: number;
}

/**
 * The share of a bucket's width that lies below a value inside it (`Bucket.FractionBelow`). Exponential buckets are looked
 * at on a logarithmic scale, on which all are equally wide; custom ones and the zero bucket are linear.
 */
export function fractionBelow(value: number, { lower, upper }: Bounds, isLinear: boolean): number {
  if (isLinear) return (value - lower) / (upper - lower);
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  const logValue = Math.log2(Math.abs(value));
  if (value > 0) return (logValue - logLower) / (logUpper - logLower);
  return 1 - (logValue - logUpper) / (logLower - logUpper);
}
