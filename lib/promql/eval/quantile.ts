/** Ascending, NaN first, as Prometheus sorts samples. */
export function compareNaNFirst(a: number, b: number): number {
  if (a !== a) return b !== b ? 0 : -1;
  if (b !== b) return 1;
  return a - b;
}

/** Sorts in place, NaN first. (A typed array's own order has NaN last.) */
export function sortNaNFirst(values: Float64Array): void {
  values.sort();
  let nanCount = 0;
  while (nanCount < values.length && Number.isNaN(values[values.length - 1 - nanCount]!)) nanCount++;
  if (nanCount === 0) return;
  values.copyWithin(nanCount, 0, values.length - nanCount);
  values.fill(NaN, 0, nanCount);
}

/** The φ-quantile, interpolated between samples (Prometheus `quantile`). Sorts `values`. */
export function quantile(q: number, values: Float64Array): number {
  sortNaNFirst(values);
  return sortedQuantile(q, values);
}

/** The same of values in that order. */
export function sortedQuantile(q: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const rank = q * (values.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(values.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return values[lower]! * (1 - weight) + values[upper]! * weight;
}
