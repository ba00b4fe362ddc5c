/** Set operations on sorted arrays of refs without duplicates. Results may be one of the arguments. */
import type { Spend } from '../storage/index.ts';

/** What it costs to sort a ref, as `Spend` counts. */
export const SORT_WORK = 6;
const EMPTY = new Uint32Array(0);

export function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  if (a.length > b.length) return intersect(b, a);
  if (a.length === 0) return EMPTY;
  const out = new Uint32Array(a.length);
  let n = 0;
  let j = 0;
  // Far longer lists are stepped through by doubling.
  const gallop = b.length > a.length * 8;
  for (let i = 0; i < a.length; i++) {
    const ref = a[i]!;
    if (gallop) j = lowerBound(b, ref, j);
    else while (j < b.length && b[j]! < ref) j++;
    if (j === b.length) break;
    if (b[j] === ref) out[n++] = ref;
  }
  return out.subarray(0, n);
}

/** Whether there is a ref in both. */
export function intersects(a: Uint32Array, b: Uint32Array): boolean {
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) return true;
    if (a[i]! < b[j]!) i = lowerBound(a, b[j]!, i);
    else j = lowerBound(b, a[i]!, j);
  }
  return false;
}

export function without(a: Uint32Array, b: Uint32Array): Uint32Array {
  if (a.length === 0 || b.length === 0) return a;
  const out = new Uint32Array(a.length);
  let n = 0;
  let j = 0;
  for (let i = 0; i < a.length; i++) {
    const ref = a[i]!;
    while (j < b.length && b[j]! < ref) j++;
    if (j === b.length || b[j] !== ref) out[n++] = ref;
  }
  return out.subarray(0, n);
}

/** The union of lists that share no ref, as the postings of one label's values do. @param spend is told of sorting */
export function unionDisjoint(lists: readonly Uint32Array[], spend?: Spend): Uint32Array {
  if (lists.length === 0) return EMPTY;
  if (lists.length === 1) return lists[0]!;
  let length = 0;
  for (const list of lists) length += list.length;
  spend?.(SORT_WORK * length);
  const out = new Uint32Array(length);
  let at = 0;
  for (const list of lists) {
    out.set(list, at);
    at += list.length;
  }
  return out.sort();
}

/** The first index from `from` on whose ref is not below `ref`. */
function lowerBound(list: Uint32Array, ref: number, from: number): number {
  let step = 1;
  let high = from;
  while (high < list.length && list[high]! < ref) {
    from = high + 1;
    high += step;
    step *= 2;
  }
  high = Math.min(high, list.length);
  while (from < high) {
    const middle = (from + high) >>> 1;
    if (list[middle]! < ref) from = middle + 1;
    else high = middle;
  }
  return from;
}
