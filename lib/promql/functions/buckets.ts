/** Relative difference of neighbouring counts that is taken for a rounding error. */
const SMALL_DELTA = 1e-12;
const MIN_NORMAL = 2.2250738585072014e-308;

/** The buckets of a classic histogram at one time: cumulative counts by ascending upper bound. Reused between steps. */
export class Buckets {
  bounds = new Float64Array(16);
  counts = new Float64Array(16);
  length = 0;
  /** Where counts fell with the bounds and were raised, by the last `ensureMonotonic`. */
  wasForced = false;
  forcedMinBound = Infinity;
  forcedMaxBound = -Infinity;
  forcedMaxDifference = 0;

  clear(): void {
    this.length = 0;
    this.wasForced = false;
    this.forcedMinBound = Infinity;
    this.forcedMaxBound = -Infinity;
    this.forcedMaxDifference = 0;
  }

  /** In ascending order of bounds; equal bounds are added up. */
  push(bound: number, count: number): void {
    if (this.length > 0 && this.bounds[this.length - 1] === bound) {
      this.counts[this.length - 1]! += count;
      return;
    }
    if (this.length === this.bounds.length) this.#grow();
    this.bounds[this.length] = bound;
    this.counts[this.length] = count;
    this.length++;
  }

  #grow(): void {
    const bounds = new Float64Array(this.length * 2);
    const counts = new Float64Array(this.length * 2);
    bounds.set(this.bounds);
    counts.set(this.counts);
    this.bounds = bounds;
    this.counts = counts;
  }

  get endsWithInfinity(): boolean {
    return this.bounds[this.length - 1] === Infinity;
  }

  get observations(): number {
    return this.counts[this.length - 1]!;
  }

  /** Removes decreases of the counts: rounding errors silently, others are remembered. */
  ensureMonotonic(): void {
    const { bounds, counts } = this;
    let previous = counts[0]!;
    for (let i = 1; i < this.length; i++) {
      const count = counts[i]!;
      if (count === previous) continue;
      if (isAlmostEqual(previous, count)) {
        counts[i] = previous;
      } else if (count < previous) {
        counts[i] = previous;
        this.wasForced = true;
        this.forcedMinBound = Math.min(this.forcedMinBound, bounds[i]!);
        this.forcedMaxBound = Math.max(this.forcedMaxBound, bounds[i]!);
        this.forcedMaxDifference = Math.max(this.forcedMaxDifference, previous - count);
      } else previous = count;
    }
  }
}

function isAlmostEqual(a: number, b: number): boolean {
  if (a !== a && b !== b) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < SMALL_DELTA * MIN_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < SMALL_DELTA;
}

/** The φ-quantile, linear within its bucket (Prometheus `BucketQuantile`). Changes `buckets`. */
export function bucketQuantile(q: number, buckets: Buckets): number {
  if (q !== q) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  if (!buckets.endsWithInfinity) return NaN;
  buckets.ensureMonotonic();
  const { bounds, counts, length, observations } = buckets;
  if (length < 2 || observations === 0) return NaN;
  let rank = q * observations;
  // A binary search, which decides what comes out where a count is NaN.
  let found = 0;
  for (let end = length - 1; found < end;) {
    const middle = (found + end) >>> 1;
    if (counts[middle]! >= rank) end = middle;
    else found = middle + 1;
  }
  if (found === length - 1) return bounds[length - 2]!;
  if (found === 0 && bounds[0]! <= 0) return bounds[0]!;
  let start = 0;
  let count = counts[found]!;
  if (found > 0) {
    start = bounds[found - 1]!;
    count -= counts[found - 1]!;
    rank -= counts[found - 1]!;
  }
  return start + (bounds[found]! - start) * (rank / count);
}

/** The share of observations between two values (Prometheus `BucketFraction`). */
export function bucketFraction(lower: number, upper: number, buckets: Buckets): number {
  const { observations } = buckets;
  if (!buckets.endsWithInfinity || observations === 0 || lower !== lower || upper !== upper) return NaN;
  if (lower >= upper) return 0;
  const lowerRank = Math.min(rankOf(lower, buckets), observations);
  const upperRank = Math.min(rankOf(upper, buckets), observations);
  return (upperRank - lowerRank) / observations;
}

/** How many observations are below `value`; buckets of infinite width count as if they were empty below it. */
function rankOf(value: number, buckets: Buckets): number {
  const { bounds, counts, length } = buckets;
  let rank = 0;
  for (let i = 0; i < length; i++) {
    let lowerBound = bounds[0]! <= 0 ? -Infinity : 0;
    if (i > 0) lowerBound = bounds[i - 1]!;
    const upperBound = bounds[i]!;
    if (lowerBound >= value) return rank;
    if (upperBound > value) {
      if (lowerBound === -Infinity) return counts[i]!;
      return rank + ((counts[i]! - rank) * (value - lowerBound)) / (upperBound - lowerBound);
    }
    rank = counts[i]!;
  }
  return buckets.observations;
}
