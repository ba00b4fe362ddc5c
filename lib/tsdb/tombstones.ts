import type { Interval } from '../chunk/index.ts';

/** What is deleted: per series ref, intervals of time that are sorted, disjoint and do not touch (tsdb/tombstones). */
export class Tombstones {
  readonly #intervals = new Map<number, readonly Interval[]>();

  /** How many intervals there are. */
  get total(): number {
    let total = 0;
    for (const intervals of this.#intervals.values()) total += intervals.length;
    return total;
  }

  /** Of one series; empty when nothing of it is deleted. */
  get(ref: number): readonly Interval[] {
    return this.#intervals.get(ref) ?? [];
  }

  /** Refs ascending. */
  *entries(): Generator<[ref: number, intervals: readonly Interval[]], void, undefined> {
    for (const ref of [...this.#intervals.keys()].sort((a, b) => a - b)) yield [ref, this.#intervals.get(ref)!];
  }

  add(ref: number, interval: Interval): void {
    this.addAll(ref, [interval]);
  }

  /** Adds intervals in any order to those of a series. */
  addAll(ref: number, intervals: readonly Interval[]): void {
    this.#intervals.set(ref, joinIntervals(this.get(ref).concat(intervals)));
  }

  delete(ref: number): void {
    this.#intervals.delete(ref);
  }

  /** Forgets intervals that end before a time. */
  truncateBefore(timeMs: number): void {
    for (const [ref, intervals] of this.#intervals) {
      const kept = intervals.filter(({ maxTimeMs }) => maxTimeMs >= timeMs);
      if (kept.length === 0) this.#intervals.delete(ref);
      else if (kept.length < intervals.length) this.#intervals.set(ref, kept);
    }
  }
}

/** Intervals sorted and disjoint; those that overlap or lie next to each other become one (`Intervals.Add`). */
export function joinIntervals(intervals: readonly Interval[]): Interval[] {
  const sorted = intervals.toSorted((a, b) => a.minTimeMs - b.minTimeMs);
  const joined: Interval[] = [];
  for (const interval of sorted) {
    const last = joined.at(-1);
    if (last === undefined || interval.minTimeMs - 1 > last.maxTimeMs) joined.push(interval);
    else if (interval.maxTimeMs > last.maxTimeMs) {
      joined[joined.length - 1] = { minTimeMs: last.minTimeMs, maxTimeMs: interval.maxTimeMs };
    }
  }
  return joined;
}
