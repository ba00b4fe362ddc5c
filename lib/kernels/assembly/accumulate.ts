// Adds one column of a PromQL vector to the columns of its group, step by step: values f64, `present` one byte a step. Eight
// steps are looked at together; mostly all are there, or none. Held against the accumulators of lib/promql/eval.

const ALL_PRESENT: u64 = 0x0101010101010101;

/** One step of Neumaier's summation, as `KahanSum` of lib/promql/eval. */
// @ts-ignore: decorator
@inline
function addSum(i: u32, value: f64, sums: usize, compensations: usize, there: usize): void {
  const sumAt = sums + (<usize>i << 3);
  if (load<u8>(there + i) == 0) {
    store<u8>(there + i, 1);
    store<f64>(sumAt, value);
    return;
  }
  const sum = load<f64>(sumAt);
  const total = sum + value;
  const at = compensations + (<usize>i << 3);
  if (Math.abs(total) == Infinity) store<f64>(at, 0);
  else if (Math.abs(sum) >= Math.abs(value)) store<f64>(at, load<f64>(at) + (sum - total + value));
  else store<f64>(at, load<f64>(at) + (value - total + sum));
  store<f64>(sumAt, total);
}

/** Adds the values that are there to `sums`, with their compensations; `there` says which sums have begun. */
export function addSums(
  values: usize,
  present: usize,
  count: u32,
  sums: usize,
  compensations: usize,
  there: usize,
): void {
  const infinity = f64x2.splat(Infinity);
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
          const offset = <usize>i << 3;
          const value = v128.load(values + offset);
          const sum = v128.load(sums + offset);
          const total = f64x2.add(sum, value);
          const large = f64x2.add(f64x2.sub(sum, total), value);
          const small = f64x2.add(f64x2.sub(value, total), sum);
          const isLarge = f64x2.ge(f64x2.abs(sum), f64x2.abs(value));
          const added = f64x2.add(v128.load(compensations + offset), v128.bitselect(large, small, isLarge));
          const overflows = f64x2.eq(f64x2.abs(total), infinity);
          v128.store(compensations + offset, v128.andnot(added, overflows));
          v128.store(sums + offset, total);
        }
        continue;
      }
    }
    if (load<u8>(present + i)) addSum(i, load<f64>(values + (<usize>i << 3)), sums, compensations, there);
    i++;
  }
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
  const signs = f64x2.splat(sign);
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
          const offset = <usize>i << 3;
          const value = v128.load(values + offset);
          const best = v128.load(extremes + offset);
          const isBeyond = f64x2.lt(f64x2.mul(best, signs), f64x2.mul(value, signs));
          const replaces = v128.or(isBeyond, f64x2.ne(best, best));
          v128.store(extremes + offset, v128.bitselect(value, best, replaces));
        }
        continue;
      }
    }
    if (load<u8>(present + i)) {
      const at = extremes + (<usize>i << 3);
      const value = load<f64>(values + (<usize>i << 3));
      const best = load<f64>(at);
      if (load<u8>(there + i) == 0 || best * sign < value * sign || best != best) store<f64>(at, value);
      store<u8>(there + i, 1);
    }
    i++;
  }
}

/** Adds 1 to the counts of the steps that are there. */
export function addCounts(present: usize, count: u32, counts: usize): void {
  const one = f64x2.splat(1);
  let i: u32 = 0;
  while (i < count) {
    if (i + 8 <= count) {
      const flags = load<u64>(present + i);
      if (flags == 0) {
        i += 8;
        continue;
      }
      if (flags == ALL_PRESENT) {
        for (const end = i + 8; i < end; i += 2) {
          const at = counts + (<usize>i << 3);
          v128.store(at, f64x2.add(v128.load(at), one));
        }
        continue;
      }
    }
    const at = counts + (<usize>i << 3);
    store<f64>(at, load<f64>(at) + <f64>load<u8>(present + i));
    i++;
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
