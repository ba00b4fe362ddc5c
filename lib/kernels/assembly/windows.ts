// What PromQL selectors and window functions say of one series at all steps, from columns of samples: times (f64 ms,
// ascending) and values. Steps are looked up at firstMs + step × stepMs; a step without a value has 0 in `present`, and
// any number in `results`. Each takes first what `WindowArguments` of lib/kernels/index.ts lists. Held against
// lib/promql/functions, which says the same step by step.
// The two loops that move a window on stand in each: as one function, inlined, rates and sums took 1.6 times as long.

/** The stale marker, with or without the quiet bit. */
const STALE: u64 = 0x7ff0000000000002;
const QUIET: u64 = 0x0008000000000000;

// @ts-ignore: decorator
@inline
export function timeAt(times: usize, i: u32): f64 {
  return load<f64>(times + (<usize>i << 3));
}

// @ts-ignore: decorator
@inline
export function valueAt(values: usize, i: u32): f64 {
  return load<f64>(values + (<usize>i << 3));
}

// @ts-ignore: decorator
@inline
export function put(results: usize, present: usize, step: u32, value: f64): void {
  store<f64>(results + (<usize>step << 3), value);
  store<u8>(present + step, 1);
}

// @ts-ignore: decorator
@inline
function isStale(value: f64): bool {
  return value != value && (reinterpret<u64>(value) & ~QUIET) == STALE;
}

/**
 * By how many samples steps are apart, of a series that was scraped at even intervals which divide a step: what is found at
 * one step is then found so many samples further at the next. 0 for any other series.
 */
export function stride(times: usize, length: u32, stepMs: f64): u32 {
  if (length < 3) return 0;
  const interval = timeAt(times, 1) - timeAt(times, 0);
  const samples = stepMs / interval;
  if (!(samples >= 1 && samples <= <f64>length)) return 0;
  const whole = Math.floor(samples);
  if (whole * interval != stepMs) return 0;
  const wanted = f64x2.splat(interval);
  let i: u32 = 1;
  for (; i + 2 <= length; i += 2) {
    const at = times + (<usize>i << 3);
    if (!v128.all_true<i64>(f64x2.eq(f64x2.sub(v128.load(at), v128.load(at - 8)), wanted))) return 0;
  }
  if (i < length && timeAt(times, i) - timeAt(times, i - 1) != interval) return 0;
  return <u32>whole;
}

/** @returns 1 when one of the values is a stale marker */
export function hasStaleMarkers(values: usize, length: u32): u32 {
  let i: u32 = 0;
  while (i < length) {
    if (i + 2 <= length) {
      const pair = v128.load(values + (<usize>i << 3));
      if (v128.all_true<i64>(f64x2.eq(pair, pair))) {
        i += 2;
        continue;
      }
    }
    if (isStale(valueAt(values, i))) return 1;
    i++;
  }
  return 0;
}

/**
 * The newest sample at or before each of the steps `from` up to `end`, unless it is stale or as old as `lookbackMs`.
 * @returns how many steps have one
 */
export function lookUp(
  times: usize,
  values: usize,
  length: u32,
  firstMs: f64,
  stepMs: f64,
  lookbackMs: f64,
  from: u32,
  end: u32,
  results: usize,
  present: usize,
): u32 {
  const by = stride(times, length, stepMs);
  let found: u32 = 0;
  let next: u32 = 0;
  for (let step = from; step < end; step++) {
    const stepTime = firstMs + <f64>step * stepMs;
    while (next < length && timeAt(times, next) <= stepTime) next++;
    if (next == 0 || timeAt(times, next - 1) <= stepTime - lookbackMs) continue;
    const value = valueAt(values, next - 1);
    if (isStale(value)) continue;
    put(results, present, step, value);
    found++;
    if (by == 0) continue;
    const last = min(end, step + 1 + (length - next) / by);
    while (step + 1 < last) {
      if (by == 1) {
        const copied = copyNumbers(values, next, last - step - 1, step + 1, results, present);
        found += copied;
        step += copied;
        next += copied;
        if (step + 1 == last) break;
      }
      const following = valueAt(values, next - 1 + by);
      if (isStale(following)) break;
      next += by;
      put(results, present, ++step, following);
      found++;
    }
  }
  return found;
}

/** Copies values from `from` on to the steps from `step` on, two at a time, until one is no number. @returns how many */
function copyNumbers(values: usize, from: u32, count: u32, step: u32, results: usize, present: usize): u32 {
  let i: u32 = 0;
  for (; i + 2 <= count; i += 2) {
    const pair = v128.load(values + (<usize>(from + i) << 3));
    if (!v128.all_true<i64>(f64x2.eq(pair, pair))) break;
    v128.store(results + (<usize>(step + i) << 3), pair);
    store<u16>(present + step + i, 0x0101);
  }
  return i;
}

/**
 * The greatest sample of each of the windows (step − rangeMs, step], or with a `sign` of −1 the least: a queue holds the samples
 * that may still become it. Of equal ones, as 0 and −0 are, it is the first. Where all are NaN, so is the result.
 * @param queue room for `length` u32
 * @returns how many windows have a value
 */
export function sweepExtreme(
  times: usize,
  values: usize,
  length: u32,
  firstMs: f64,
  stepMs: f64,
  rangeMs: f64,
  from: u32,
  end: u32,
  results: usize,
  present: usize,
  sign: f64,
  queue: usize,
): u32 {
  let found: u32 = 0;
  let low: u32 = 0;
  let high: u32 = 0;
  /** Samples before it were offered to the queue. */
  let seen: u32 = 0;
  let front = queue;
  let back = queue;
  for (let step = from; step < end; step++) {
    const endMs = firstMs + <f64>step * stepMs;
    const startMs = endMs - rangeMs;
    while (high < length && timeAt(times, high) <= endMs) high++;
    while (low < high && timeAt(times, low) <= startMs) low++;
    if (low == high) continue;
    if (seen < low) seen = low;
    for (; seen < high; seen++) {
      const value = valueAt(values, seen) * sign;
      if (value != value) continue;
      while (back > front && valueAt(values, load<u32>(back - 4)) * sign < value) back -= 4;
      store<u32>(back, seen);
      back += 4;
    }
    while (front < back && load<u32>(front) < low) front += 4;
    put(results, present, step, valueAt(values, front < back ? load<u32>(front) : high - 1));
    found++;
  }
  return found;
}
