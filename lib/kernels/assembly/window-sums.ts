// `sum_over_time`, `avg_over_time`, `count_over_time` over the windows that assembly/windows.ts speaks of. Held against
// lib/promql/functions/over-time.ts, to the last bit.

import { compensated } from './neumaier';
import { put, timeAt, valueAt } from './windows';

/** From here on a partial sum might overflow, or not where Prometheus's does: windows have to be summed one by one. */
const LARGE: f64 = 1e300;

/**
 * The sum of each window, or with `isMean` the mean. Windows that share most of their samples are not summed one by one: see
 * `SumKernel`.
 *
 *     low ────── middle ────── high
 *      suffix sums │ running sum
 *
 * @param isDirect 1 when each window is to be summed by itself, in Prometheus's order: of windows that share few samples
 * @param suffixes room for 2 × `length` f64
 * @returns how many windows have a value; −1 when it takes long, as each has to be summed by itself: nothing was done then
 */
export function sweepSum(
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
  isMean: u32,
  isDirect: u32,
  suffixes: usize,
): i32 {
  if (!isDirect && !isSmall(values, length)) return -1;
  let found: i32 = 0;
  let low: u32 = 0;
  let high: u32 = 0;
  let middle: u32 = 0;
  /** The running sum covers the samples middle … rightEnd − 1. */
  let rightEnd: u32 = 0;
  let rightSum: f64 = 0;
  let rightCompensation: f64 = 0;
  for (let step = from; step < end; step++) {
    const endMs = firstMs + <f64>step * stepMs;
    const startMs = endMs - rangeMs;
    while (high < length && timeAt(times, high) <= endMs) high++;
    while (low < high && timeAt(times, low) <= startMs) low++;
    if (low == high) continue;
    found++;
    if (isDirect) {
      put(results, present, step, isMean ? meanOf(values, low, high) : sumOf(values, low, high));
      continue;
    }
    if (low >= middle) {
      sumSuffixes(values, low, high, suffixes);
      middle = high;
      rightEnd = high;
      rightSum = 0;
      rightCompensation = 0;
    }
    for (; rightEnd < high; rightEnd++) {
      const value = valueAt(values, rightEnd);
      const total = rightSum + value;
      rightCompensation = compensated(rightSum, value, total, rightCompensation);
      rightSum = total;
    }
    const at = suffixes + (<usize>low << 4);
    const left = load<f64>(at);
    const total = rightSum + left;
    const compensation = compensated(rightSum, left, total, rightCompensation) + load<f64>(at, 8);
    const sum = finished(total, compensation);
    put(results, present, step, isMean ? sum / <f64>(high - low) : sum);
  }
  return found;
}

/** @returns how many windows have samples */
export function sweepCount(
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
): u32 {
  let found: u32 = 0;
  let low: u32 = 0;
  let high: u32 = 0;
  for (let step = from; step < end; step++) {
    const endMs = firstMs + <f64>step * stepMs;
    const startMs = endMs - rangeMs;
    while (high < length && timeAt(times, high) <= endMs) high++;
    while (low < high && timeAt(times, low) <= startMs) low++;
    if (low == high) continue;
    put(results, present, step, <f64>(high - low));
    found++;
  }
  return found;
}

/** None is NaN, or so large that sums might overflow. */
function isSmall(values: usize, length: u32): bool {
  const bound = f64x2.splat(LARGE);
  let i: u32 = 0;
  for (; i + 2 <= length; i += 2) {
    const pair = v128.load(values + (<usize>i << 3));
    if (!v128.all_true<i64>(f64x2.lt(f64x2.abs(pair), bound))) return false;
  }
  return i == length || Math.abs(valueAt(values, i)) < LARGE;
}

/** Of the samples i … high − 1, for all i from `low` on: sums and compensations by turns. */
function sumSuffixes(values: usize, low: u32, high: u32, suffixes: usize): void {
  let sum: f64 = 0;
  let compensation: f64 = 0;
  for (let i = high; i > low; ) {
    i--;
    const value = valueAt(values, i);
    const total = sum + value;
    compensation = compensated(sum, value, total, compensation);
    sum = total;
    store<f64>(suffixes + (<usize>i << 4), sum);
    store<f64>(suffixes + (<usize>i << 4), compensation, 8);
  }
}

function sumOf(values: usize, low: u32, high: u32): f64 {
  let sum: f64 = 0;
  let compensation: f64 = 0;
  for (let i = low; i < high; i++) {
    const value = valueAt(values, i);
    const total = sum + value;
    compensation = compensated(sum, value, total, compensation);
    sum = total;
  }
  return finished(sum, compensation);
}

/** `mean` of lib/promql/eval/kahan.ts: sum over count, until the sum overflows; from there incrementally. */
function meanOf(values: usize, low: u32, high: u32): f64 {
  let sum = valueAt(values, low);
  let compensation: f64 = 0;
  let i = low + 1;
  for (; i < high; i++) {
    const value = valueAt(values, i);
    const total = sum + value;
    if (Math.abs(total) == Infinity) break;
    compensation = compensated(sum, value, total, compensation);
    sum = total;
  }
  let count = <f64>(i - low);
  sum /= count;
  compensation /= count;
  for (; i < high; i++) {
    const weight = count / (count + 1);
    count++;
    const mean = weight * sum;
    const share = valueAt(values, i) / count;
    const total = mean + share;
    compensation = compensated(mean, share, total, weight * compensation);
    sum = total;
  }
  return sum + compensation;
}

// @ts-ignore: decorator
@inline
function finished(sum: f64, compensation: f64): f64 {
  return Math.abs(sum) == Infinity ? sum : sum + compensation;
}
