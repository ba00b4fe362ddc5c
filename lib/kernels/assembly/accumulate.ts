// Adds one column of a PromQL vector to the columns of its group, step by step: values f64, `present` one byte a step. Held
// against the accumulators of lib/promql/eval.
import { compensated } from './neumaier';

const ALL_PRESENT: u64 = 0x0101010101010101;

/** What is made of the values of a step. */
const enum Total {
  Sum,
  Mean,
  Extreme,
}

/** A step of a mean holds nothing, a sum, or since that overflowed the mean. */
const HOLDS_SUM: u8 = 1;
const HOLDS_MEAN: u8 = 2;

/** Adds the values that are there to `sums`, with their compensations; `there` says which sums have begun. */
export function addSums(
  values: usize,
  present: usize,
  count: u32,
  sums: usize,
  compensations: usize,
  there: usize,
): void {
  addColumn(Total.Sum, values, present, count, sums, there, compensations, 0, 0);
}

/**
 * Adds the values that are there to `sums`, with their compensations, and 1 to `counts`. Where a sum would be infinite, it
 * becomes the mean: `held` says which of the two there is, 1 or 2, or 0 for neither.
 */
export function addMeans(
  values: usize,
  present: usize,
  count: u32,
  sums: usize,
  compensations: usize,
  held: usize,
  counts: usize,
): void {
  addColumn(Total.Mean, values, present, count, sums, held, compensations, counts, 0);
}

/**
 * Keeps of the values that are there the greatest, or with a `sign` of −1 the least, in `extremes`; `there` says which have
 * begun. Any value takes the place of NaN.
 */
export function addExtremes(
  values: usize,
  present: usize,
  count: u32,
  sign: f64,
  extremes: usize,
  there: usize,
): void {
  addColumn(Total.Extreme, values, present, count, extremes, there, 0, 0, sign);
}

/** Compiled for each kind. Eight steps are looked at together: mostly all are there, or none. */
// @ts-ignore: decorator
@inline
function addColumn(
  kind: Total,
  values: usize,
  present: usize,
  count: u32,
  totals: usize,
  there: usize,
  compensations: usize,
  counts: usize,
  sign: f64,
): void {
  let i: u32 = 0;
  while (i < count) {
    if (i + 8 <= count) {
      const flags = load<u64>(present + i);
      if (flags == 0) {
        i += 8;
        continue;
      }
      if (flags == ALL_PRESENT && load<u64>(there + i) == ALL_PRESENT) {
        for (const end = i + 8; i < end; i += 2) {
          if (kind == Total.Extreme) keepTwo(i, values, totals, sign);
          else addTwo(kind, i, values, totals, there, compensations, counts);
        }
        continue;
      }
    }
    if (load<u8>(present + i)) {
      const value = load<f64>(values + (<usize>i << 3));
      if (kind == Total.Extreme) keep(i, value, totals, there, sign);
      else if (kind == Total.Mean) addMean(i, value, totals, there, compensations, counts);
      else addSum(i, value, totals, there, compensations);
    }
    i++;
  }
}

/** One step of Neumaier's summation, as `KahanSum` of lib/promql/eval. */
// @ts-ignore: decorator
@inline
function addSum(i: u32, value: f64, sums: usize, there: usize, compensations: usize): void {
  const at = sums + (<usize>i << 3);
  if (load<u8>(there + i) == 0) {
    store<u8>(there + i, 1);
    store<f64>(at, value);
    return;
  }
  compensate(load<f64>(at), value, at, compensations + (<usize>i << 3));
}

// @ts-ignore: decorator
@inline
function compensate(sum: f64, value: f64, sumAt: usize, at: usize): void {
  const total = sum + value;
  store<f64>(at, compensated(sum, value, total, load<f64>(at)));
  store<f64>(sumAt, total);
}

/** As Prometheus's `avg`: the sum is divided in the end, the mean is carried on from value to value. */
function addMean(i: u32, value: f64, sums: usize, held: usize, compensations: usize, counts: usize): void {
  const offset = <usize>i << 3;
  const sum = load<f64>(sums + offset);
  const before = load<f64>(counts + offset);
  const count = before + 1;
  store<f64>(counts + offset, count);
  if (load<u8>(held + i) == 0) {
    store<u8>(held + i, HOLDS_SUM);
    store<f64>(sums + offset, value);
    return;
  }
  if (load<u8>(held + i) == HOLDS_SUM) {
    if (Math.abs(sum + value) != Infinity) {
      compensate(sum, value, sums + offset, compensations + offset);
      return;
    }
    store<u8>(held + i, HOLDS_MEAN);
    store<f64>(sums + offset, sum / before);
    store<f64>(compensations + offset, load<f64>(compensations + offset) / before);
  }
  const weight = before / count;
  store<f64>(compensations + offset, load<f64>(compensations + offset) * weight);
  compensate(load<f64>(sums + offset) * weight, value / count, sums + offset, compensations + offset);
}

/** Two sums that have begun. */
// @ts-ignore: decorator
@inline
function addTwo(
  kind: Total,
  i: u32,
  values: usize,
  sums: usize,
  there: usize,
  compensations: usize,
  counts: usize,
): void {
  const offset = <usize>i << 3;
  const value = v128.load(values + offset);
  const sum = v128.load(sums + offset);
  const total = f64x2.add(sum, value);
  if (kind == Total.Mean) {
    if (v128.any_true(f64x2.eq(f64x2.abs(total), f64x2.splat(Infinity)))) {
      addMean(i, f64x2.extract_lane(value, 0), sums, there, compensations, counts);
      addMean(i + 1, f64x2.extract_lane(value, 1), sums, there, compensations, counts);
      return;
    }
    v128.store(counts + offset, f64x2.add(v128.load(counts + offset), f64x2.splat(1)));
  }
  const large = f64x2.add(f64x2.sub(sum, total), value);
  const small = f64x2.add(f64x2.sub(value, total), sum);
  const isLarge = f64x2.ge(f64x2.abs(sum), f64x2.abs(value));
  const added = f64x2.add(v128.load(compensations + offset), v128.bitselect(large, small, isLarge));
  const overflows = f64x2.eq(f64x2.abs(total), f64x2.splat(Infinity));
  v128.store(compensations + offset, v128.andnot(added, overflows));
  v128.store(sums + offset, total);
}

// @ts-ignore: decorator
@inline
function keep(i: u32, value: f64, extremes: usize, there: usize, sign: f64): void {
  const at = extremes + (<usize>i << 3);
  const best = load<f64>(at);
  if (load<u8>(there + i) == 0 || best * sign < value * sign || best != best) store<f64>(at, value);
  store<u8>(there + i, 1);
}

/** Of two steps that have begun. */
// @ts-ignore: decorator
@inline
function keepTwo(i: u32, values: usize, extremes: usize, sign: f64): void {
  const offset = <usize>i << 3;
  const signs = f64x2.splat(sign);
  const value = v128.load(values + offset);
  const best = v128.load(extremes + offset);
  const isBeyond = f64x2.lt(f64x2.mul(best, signs), f64x2.mul(value, signs));
  const replaces = v128.or(isBeyond, f64x2.ne(best, best));
  v128.store(extremes + offset, v128.bitselect(value, best, replaces));
}

/** Adds `count` flags to counts. */
export function addCounts(present: usize, count: u32, counts: usize): void {
  let i: u32 = 0;
  for (; i + 4 <= count; i += 4) {
    const at = counts + (<usize>i << 3);
    const flags = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(present + i)));
    v128.store(at, f64x2.add(v128.load(at), f64x2.convert_low_i32x4_u(flags)));
    const others = i8x16.shuffle(flags, flags, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v128.store(at + 16, f64x2.add(v128.load(at + 16), f64x2.convert_low_i32x4_u(others)));
  }
  for (; i < count; i++) {
    const at = counts + (<usize>i << 3);
    store<f64>(at, load<f64>(at) + <f64>load<u8>(present + i));
  }
}

/**
 * The first step from `from` on at which a value that is there is not `bound` or on its near side: above it, or with a `sign`
 * of −1 below it, or either is NaN. @returns `count` when there is none
 */
export function firstBeyond(
  values: usize,
  present: usize,
  bounds: usize,
  sign: f64,
  from: u32,
  count: u32,
): u32 {
  const signs = f64x2.splat(sign);
  let i = from;
  while (i < count) {
    if (i + 8 <= count && load<u64>(present + i) == 0) {
      i += 8;
      continue;
    }
    const offset = <usize>i << 3;
    if (i + 2 <= count) {
      const value = f64x2.mul(v128.load(values + offset), signs);
      if (v128.all_true<i64>(f64x2.le(value, f64x2.mul(v128.load(bounds + offset), signs)))) {
        i += 2;
        continue;
      }
    }
    if (load<u8>(present + i) && !(load<f64>(values + offset) * sign <= load<f64>(bounds + offset) * sign)) return i;
    i++;
  }
  return count;
}
