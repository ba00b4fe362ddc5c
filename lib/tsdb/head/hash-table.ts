import { type ArenaViews, layout, type SharedArena } from '../../kernels/index.ts';
import { assert } from '../../model/index.ts';

const {
  SEGMENT_DEPTH,
  SEGMENT_SIZE,
  SEGMENT_SLOTS,
  SEGMENT_USED,
  SLOT_SIZE,
  TABLE_COUNT,
  TABLE_DEPTH,
  TABLE_DIRECTORY,
  TABLE_SLOTS,
} = layout;

/** A segment with more entries is split. */
const MAX_USED = Math.floor(TABLE_SLOTS * 0.75);
/** Two segments that were one with no more entries than this together become one again. */
const MERGE_USED = Math.floor(TABLE_SLOTS * 0.3);
/** 2^22 segments hold far more than memory does; a keyed hash is not so uneven that it is reached earlier. */
const MAX_DEPTH = 22;

assert(SEGMENT_SLOTS + TABLE_SLOTS * SLOT_SIZE <= SEGMENT_SIZE, 'hash table: a segment must fit its block');

/**
 * The value under `hash` that `matches` takes, 0 when there is none. For any thread: garbage that a reader may see while the
 * writer is at work ends the search.
 */
export function findInTable(
  { u32 }: ArenaViews,
  table: number,
  hash: number,
  matches: (value: number) => boolean,
): number {
  const directory = u32[(table + TABLE_DIRECTORY) >>> 2]! >>> 2;
  const segment = u32[directory + indexOf(hash, u32[(table + TABLE_DEPTH) >>> 2]!)];
  if (segment === undefined) return 0;
  const slots = (segment + SEGMENT_SLOTS) >>> 2;
  let slot = hash % TABLE_SLOTS;
  for (let step = 0; step < TABLE_SLOTS; step++) {
    const value = u32[slots + 2 * slot + 1] ?? 0;
    if (value === 0) return 0;
    if (u32[slots + 2 * slot] === hash && matches(value)) return value;
    if (++slot === TABLE_SLOTS) slot = 0;
  }
  return 0;
}

/** The writer's side of one hash table (layout.ts, TABLE_…): 32-bit hashes to values other than 0. */
export class HashTable {
  readonly #arena: SharedArena;
  readonly #table: number;

  /** @param table address of the table's fields, all 0 */
  constructor(arena: SharedArena, table: number) {
    this.#arena = arena;
    this.#table = table;
    const directory = arena.allocate(4);
    const segment = this.#newSegment(0);
    arena.u32[directory >>> 2] = segment;
    arena.u32[(table + TABLE_DIRECTORY) >>> 2] = directory;
  }

  get size(): number {
    return this.#arena.u32[(this.#table + TABLE_COUNT) >>> 2]!;
  }

  /** As `findInTable`. */
  find(hash: number, matches: (value: number) => boolean): number {
    return findInTable(this.#arena, this.#table, hash, matches);
  }

  insert(hash: number, value: number): void {
    let segment = this.#segmentOf(hash);
    while (this.#arena.u32[(segment + SEGMENT_USED) >>> 2]! >= MAX_USED) {
      this.#split(hash, segment);
      segment = this.#segmentOf(hash);
    }
    this.#put(segment, hash, value);
    this.#arena.u32[(this.#table + TABLE_COUNT) >>> 2]!++;
  }

  /** Takes out an entry that is there. */
  remove(hash: number, value: number): void {
    const { u32 } = this.#arena;
    const segment = this.#segmentOf(hash);
    const slots = (segment + SEGMENT_SLOTS) >>> 2;
    let slot = hash % TABLE_SLOTS;
    for (let step = 0; u32[slots + 2 * slot + 1] !== value; step++) {
      assert(step < TABLE_SLOTS, 'hash table: no such entry');
      slot = (slot + 1) % TABLE_SLOTS;
    }
    // Those behind move up, as far as their own place allows.
    for (let next = (slot + 1) % TABLE_SLOTS; u32[slots + 2 * next + 1] !== 0; next = (next + 1) % TABLE_SLOTS) {
      const home = u32[slots + 2 * next]! % TABLE_SLOTS;
      const homeToNext = (next - home + TABLE_SLOTS) % TABLE_SLOTS;
      const slotToNext = (next - slot + TABLE_SLOTS) % TABLE_SLOTS;
      if (homeToNext < slotToNext) continue;
      u32[slots + 2 * slot] = u32[slots + 2 * next]!;
      u32[slots + 2 * slot + 1] = u32[slots + 2 * next + 1]!;
      slot = next;
    }
    u32[slots + 2 * slot + 1] = 0;
    u32[(segment + SEGMENT_USED) >>> 2]!--;
    u32[(this.#table + TABLE_COUNT) >>> 2]!--;
    this.#merge(hash, segment);
  }

  get #depth(): number {
    return this.#arena.u32[(this.#table + TABLE_DEPTH) >>> 2]!;
  }

  /** Index of the directory's first entry in `u32`. */
  get #directoryAt(): number {
    return this.#arena.u32[(this.#table + TABLE_DIRECTORY) >>> 2]! >>> 2;
  }

  #segmentOf(hash: number): number {
    return this.#arena.u32[this.#directoryAt + indexOf(hash, this.#depth)]!;
  }

  #newSegment(depth: number): number {
    const segment = this.#arena.allocate(SEGMENT_SIZE);
    const { u32 } = this.#arena;
    u32.fill(0, segment >>> 2, (segment + SEGMENT_SIZE) >>> 2);
    u32[(segment + SEGMENT_DEPTH) >>> 2] = depth;
    return segment;
  }

  #put(segment: number, hash: number, value: number): void {
    const { u32 } = this.#arena;
    const slots = (segment + SEGMENT_SLOTS) >>> 2;
    let slot = hash % TABLE_SLOTS;
    while (u32[slots + 2 * slot + 1] !== 0) if (++slot === TABLE_SLOTS) slot = 0;
    u32[slots + 2 * slot] = hash;
    u32[slots + 2 * slot + 1] = value;
    u32[(segment + SEGMENT_USED) >>> 2]!++;
  }

  /** Puts the entries of a segment into others and frees it. */
  #move(from: number, segmentOf: (hash: number) => number): void {
    const { u32 } = this.#arena;
    const slots = (from + SEGMENT_SLOTS) >>> 2;
    for (let slot = 0; slot < TABLE_SLOTS; slot++) {
      const value = u32[slots + 2 * slot + 1]!;
      if (value === 0) continue;
      const hash = u32[slots + 2 * slot]!;
      this.#put(segmentOf(hash), hash, value);
    }
    this.#arena.free(from, SEGMENT_SIZE);
  }

  #split(hash: number, segment: number): void {
    const depth = this.#arena.u32[(segment + SEGMENT_DEPTH) >>> 2]! + 1;
    if (depth > this.#depth) this.#resizeDirectory(depth);
    const lower = this.#newSegment(depth);
    const upper = this.#newSegment(depth);
    this.#move(segment, (entry) => (indexOf(entry, depth) % 2 === 0 ? lower : upper));
    const index = indexOf(hash, depth);
    this.#point(index - (index % 2), depth, lower);
    this.#point(index - (index % 2) + 1, depth, upper);
  }

  #merge(hash: number, segment: number): void {
    const { u32 } = this.#arena;
    const depth = u32[(segment + SEGMENT_DEPTH) >>> 2]!;
    if (depth === 0) return;
    const index = indexOf(hash, depth);
    const other = u32[this.#directoryAt + (index ^ 1) * 2 ** (this.#depth - depth)]!;
    if (u32[(other + SEGMENT_DEPTH) >>> 2] !== depth) return;
    if (u32[(segment + SEGMENT_USED) >>> 2]! + u32[(other + SEGMENT_USED) >>> 2]! > MERGE_USED) return;
    const both = this.#newSegment(depth - 1);
    this.#move(segment, () => both);
    this.#move(other, () => both);
    this.#point(index >>> 1, depth - 1, both);
    while (this.#depth > 0 && this.#deepest() < this.#depth) this.#resizeDirectory(this.#depth - 1);
  }

  /** Lets all entries of the directory that stand for the upper `depth` bits being `index` lead to a segment. */
  #point(index: number, depth: number, segment: number): void {
    const width = 2 ** (this.#depth - depth);
    const at = this.#directoryAt + index * width;
    this.#arena.u32.fill(segment, at, at + width);
  }

  /** The depth of the most often split segment, as far as the directory's own depth is asked for. */
  #deepest(): number {
    const { u32 } = this.#arena;
    const at = this.#directoryAt;
    const depth = this.#depth;
    for (let i = 0; i < 2 ** depth; i += 2) if (u32[at + i] !== u32[at + i + 1]) return depth;
    return depth - 1;
  }

  #resizeDirectory(depth: number): void {
    assert(depth <= MAX_DEPTH, 'hash table: hashes are not evenly spread');
    const arena = this.#arena;
    const before = this.#depth;
    const directory = arena.allocate(4 * 2 ** depth);
    const old = this.#directoryAt;
    const { u32 } = arena;
    for (let i = 0; i < 2 ** depth; i++) {
      u32[(directory >>> 2) + i] = u32[old + (depth > before ? i >>> 1 : i * 2)]!;
    }
    arena.free(old * 4, 4 * 2 ** before);
    u32[(this.#table + TABLE_DIRECTORY) >>> 2] = directory;
    u32[(this.#table + TABLE_DEPTH) >>> 2] = depth;
  }
}

/** The upper `depth` bits of a hash; in two steps, because a shift by 32 is one by 0. */
function indexOf(hash: number, depth: number): number {
  return (hash >>> 1) >>> (31 - depth);
}
