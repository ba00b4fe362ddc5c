import { type ArenaViews, layout, type SharedArena } from '../../kernels/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import type { Interval } from '../../chunk/index.ts';
import { joinIntervals } from '../tombstones.ts';
import { columnValue, RefColumn } from './ref-column.ts';

const { HEAD_TOMBSTONES } = layout;

// A block of intervals: u32 count, u32 unused, then f64 first and last ms of each.
const COUNT = 0;
const INTERVALS = 8;
const INTERVAL_SIZE = 16;
/** A count that another thread reads while the writer is at work may be garbage. */
const MAX_INTERVALS = 1 << 20;
const NONE: readonly Interval[] = [];

/**
 * What was deleted of the head's series (`MemTombstones` of tsdb/tombstones), in the arena for readers on any thread. The
 * samples stay until they are compacted. Changes belong into a write section.
 */
export class HeadTombstones {
  readonly #arena: SharedArena;
  readonly #blocks: RefColumn;

  constructor(arena: SharedArena) {
    this.#arena = arena;
    this.#blocks = new RefColumn(arena);
  }

  /** Where readers begin. */
  get root(): number {
    return this.#blocks.root;
  }

  /** Series of which something was deleted. */
  get numSeries(): number {
    return this.#blocks.size;
  }

  /** Sorted, disjoint. */
  get(ref: SeriesRef): readonly Interval[] {
    return intervalsIn(this.#arena, this.#blocks.get(ref));
  }

  add(ref: SeriesRef, interval: Interval): void {
    this.#set(ref, joinIntervals([...this.get(ref), interval]));
  }

  /** Forgets intervals that end before a time. */
  truncateBefore(timeMs: number): void {
    for (const [ref] of this.#blocks.entries()) {
      const intervals = this.get(ref);
      const kept = intervals.filter(({ maxTimeMs }) => maxTimeMs >= timeMs);
      if (kept.length < intervals.length) this.#set(ref, kept);
    }
  }

  /** Must be called when a series leaves the head. */
  delete(ref: SeriesRef): void {
    this.#set(ref, NONE);
  }

  *entries(): IterableIterator<[ref: SeriesRef, intervals: readonly Interval[]]> {
    for (const [ref] of this.#blocks.entries()) yield [ref, this.get(ref)];
  }

  #set(ref: SeriesRef, intervals: readonly Interval[]): void {
    const arena = this.#arena;
    const old = this.#blocks.get(ref);
    let block = 0;
    if (intervals.length > 0) {
      block = arena.allocate(INTERVALS + intervals.length * INTERVAL_SIZE);
      arena.u32[(block + COUNT) >>> 2] = intervals.length;
      let at = (block + INTERVALS) / 8;
      for (const { minTimeMs, maxTimeMs } of intervals) {
        arena.f64[at++] = minTimeMs;
        arena.f64[at++] = maxTimeMs;
      }
    }
    this.#blocks.set(ref, block);
    if (old !== 0) arena.free(old, INTERVALS + arena.u32[(old + COUNT) >>> 2]! * INTERVAL_SIZE);
  }
}

/** What was deleted of a series of the head at `headRoot`, on any thread; within a read section. */
export function deletedIntervals(views: ArenaViews, headRoot: number, ref: SeriesRef): readonly Interval[] {
  const column = views.u32[(headRoot + HEAD_TOMBSTONES) >>> 2]!;
  return column === 0 ? NONE : intervalsIn(views, columnValue(views.u32, column, ref));
}

function intervalsIn({ u32, f64 }: ArenaViews, block: number): readonly Interval[] {
  if (block === 0) return NONE;
  const count = Math.min(u32[(block + COUNT) >>> 2]!, MAX_INTERVALS);
  const intervals: Interval[] = [];
  for (let i = 0, at = (block + INTERVALS) / 8; i < count && at + 1 < f64.length; i++, at += 2) {
    intervals.push({ minTimeMs: f64[at]!, maxTimeMs: f64[at + 1]! });
  }
  return intervals;
}
