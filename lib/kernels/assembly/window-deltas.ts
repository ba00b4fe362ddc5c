// `rate`, `increase`, `delta`, `irate`, `idelta` over the windows that assembly/windows.ts speaks of. Held against
// lib/promql/functions/rate.ts.

import { put, stride, timeAt, valueAt } from './windows';

/** A gap of up to this many average intervals at an end of a window is taken for a missing sample. */
const EXTRAPOLATION_FACTOR: f64 = 1.1;
/** The most that are looked at in one call: about a millisecond. */
const MAX_RESETS: u64 = 1_000_000;

/** `extrapolation` of lib/promql/functions/extrapolate.ts, of a window without start times. */
function extrapolation(
  count: u32,
  toStartMs: f64,
  sampledMs: f64,
  toEndMs: f64,
  rateSeconds: f64,
  zeroRatio: f64,
): f64 {
  const sampled = sampledMs / 1000;
  const average = sampled / <f64>(count - 1);
  const threshold = average * EXTRAPOLATION_FACTOR;
  let toStart = toStartMs / 1000;
  let toEnd = toEndMs / 1000;
  if (toStart >= threshold) toStart = average / 2;
  const zero = sampled * zeroRatio;
  if (zero < toStart) toStart = zero;
  if (toEnd >= threshold) toEnd = average / 2;
  const factor = sampled == 0 ? 1 : (sampled + toStart + toEnd) / sampled;
  return rateSeconds == 0 ? factor : factor / rateSeconds;
}

/**
 * `rate`, `increase`, `delta` over the windows (step − rangeMs, step] of the steps `from` up to `end`; no sample is stale.
 * Where a series was scraped at even intervals, windows lie over their samples alike, and the divisions that say how to
 * extrapolate are those of the step before.
 * @param rateSeconds what the increase is divided by; 0 for nothing
 * @param resets room for `length` u32
 * @returns how many windows have a value; −1 when it takes long, as there are so many resets: nothing was done then
 */
export function sweepDelta(
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
  isCounter: u32,
  rateSeconds: f64,
  resets: usize,
): i32 {
  const by = stride(times, length, stepMs);
  const resetCount = isCounter ? findResets(values, length, resets) : 0;
  // Each window may look at all of them.
  if (<u64>resetCount * <u64>(end - from) > MAX_RESETS) return -1;
  let found: i32 = 0;
  let low: u32 = 0;
  let high: u32 = 0;
  /** The first reset behind the start of the window. */
  let reset: u32 = 0;
  let lastCount: u32 = 0;
  let lastToStart: f64 = 0;
  let lastSampled: f64 = 0;
  let lastToEnd: f64 = 0;
  let factor: f64 = 0;
  for (let step = from; step < end; step++) {
    const endMs = firstMs + <f64>step * stepMs;
    const startMs = endMs - rangeMs;
    while (high < length && timeAt(times, high) <= endMs) high++;
    while (low < high && timeAt(times, low) <= startMs) low++;
    const count = high - low;
    if (high < low + 2) continue;
    const firstTime = timeAt(times, low);
    const lastTime = timeAt(times, high - 1);
    const toStart = firstTime - startMs;
    const sampled = lastTime - firstTime;
    const toEnd = endMs - lastTime;
    if (count != lastCount || toStart != lastToStart || sampled != lastSampled || toEnd != lastToEnd) {
      factor = extrapolation(count, toStart, sampled, toEnd, rateSeconds, Infinity);
      lastCount = count;
      lastToStart = toStart;
      lastSampled = sampled;
      lastToEnd = toEnd;
    }
    while (reset < resetCount && load<u32>(resets + (<usize>reset << 2)) <= low) reset++;
    let nextReset = reset < resetCount ? load<u32>(resets + (<usize>reset << 2)) : length;
    // Up to there the following windows lie as this one does, and no counter was reset in them.
    const last = by > 0 && low > 0 && nextReset >= high ? min(end, step + 1 + (nextReset - high) / by) : step + 1;
    for (;;) {
      const first = valueAt(values, low);
      let delta = valueAt(values, high - 1) - first;
      for (let i = reset; nextReset < high; ) {
        delta += valueAt(values, nextReset - 1);
        nextReset = ++i < resetCount ? load<u32>(resets + (<usize>i << 2)) : length;
      }
      // A counter at twice its increase and more was zero long before the window.
      const mayReachZero = isCounter && delta > 0 && first >= 0 && !(first >= 2 * delta);
      const scale = mayReachZero
        ? extrapolation(count, toStart, sampled, toEnd, rateSeconds, first / delta)
        : factor;
      put(results, present, step, delta * scale);
      found++;
      if (step + 1 >= last) break;
      step++;
      low += by;
      high += by;
      if (by == 1) {
        const swept = sweepPairs(values, low, high, last - step, factor, isCounter, step, results, present);
        found += swept;
        step += swept;
        low += swept;
        high += swept;
        if (step == last) {
          step--;
          low--;
          high--;
          break;
        }
      }
    }
  }
  return found;
}

/**
 * Windows that move on by one sample each, two at a time, as long as no counter may have been zero in them.
 * @returns how many, at most `count`
 */
function sweepPairs(
  values: usize,
  low: u32,
  high: u32,
  count: u32,
  factor: f64,
  isCounter: u32,
  step: u32,
  results: usize,
  present: usize,
): u32 {
  const factors = f64x2.splat(factor);
  const zero = f64x2.splat(0);
  let first = values + (<usize>low << 3);
  let last = values + (<usize>(high - 1) << 3);
  let result = results + (<usize>step << 3);
  let i: u32 = 0;
  for (; i + 2 <= count; i += 2) {
    const from = v128.load(first);
    const delta = f64x2.sub(v128.load(last), from);
    if (isCounter) {
      const isLow = v128.not(f64x2.ge(from, f64x2.add(delta, delta)));
      if (v128.any_true(v128.and(isLow, v128.and(f64x2.gt(delta, zero), f64x2.ge(from, zero))))) return i;
    }
    v128.store(result, f64x2.mul(delta, factors));
    store<u16>(present + step + i, 0x0101);
    first += 16;
    last += 16;
    result += 16;
  }
  return i;
}

/** Writes the indices of samples below their predecessor. @returns how many */
function findResets(values: usize, length: u32, resets: usize): u32 {
  let count: u32 = 0;
  for (let i: u32 = 1; i < length; i++) {
    const at = values + (<usize>i << 3);
    // Most have none.
    if (i + 2 <= length && !v128.any_true(f64x2.lt(v128.load(at), v128.load(at - 8)))) {
      i++;
      continue;
    }
    if (load<f64>(at) < load<f64>(at - 8)) {
      store<u32>(resets + (<usize>count << 2), i);
      count++;
    }
  }
  return count;
}

/**
 * `irate` and `idelta` over those windows: from the last two samples.
 * @returns how many windows have a value
 */
export function sweepInstantDelta(
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
  isRate: u32,
): u32 {
  let found: u32 = 0;
  let high: u32 = 0;
  for (let step = from; step < end; step++) {
    const endMs = firstMs + <f64>step * stepMs;
    while (high < length && timeAt(times, high) <= endMs) high++;
    if (high < 2) continue;
    const previousTime = timeAt(times, high - 2);
    const intervalMs = timeAt(times, high - 1) - previousTime;
    if (previousTime <= endMs - rangeMs || intervalMs == 0) continue;
    const last = valueAt(values, high - 1);
    const previous = valueAt(values, high - 2);
    const delta = isRate && last < previous ? last : last - previous;
    put(results, present, step, isRate ? delta / (intervalMs / 1000) : delta);
    found++;
  }
  return found;
}
