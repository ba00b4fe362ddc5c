import type { SharedArena } from '../../kernels/index.ts';
import type { SeriesRef } from '../../storage/index.ts';

const PAGE_BITS = 8;
const PAGE_COUNT = 1 << PAGE_BITS;
const PAGE_BYTES = PAGE_COUNT * 4;
const FIRST_PAGE_CAPACITY = 64;

// The root that other threads begin at.

/** u32 address of the directory: a page address per 256 refs, 0 where there is none. */
const COLUMN_DIRECTORY = 0;
/** u32: pages the directory has room for. */
const COLUMN_PAGE_CAPACITY = 4;
/** u32: how many series have a value. */
const COLUMN_COUNT = 8;
const COLUMN_SIZE = 12;

/**
 * One number (u32) per series, 0 meaning none, in the arena; its pages are there only while one of their refs has a value.
 * For what only some series have: next to nothing while none does.
 */
export class RefColumn {
  readonly #arena: SharedArena;
  readonly root: number;
  /** Per page, how many refs have a value. */
  readonly #used: number[] = [];

  constructor(arena: SharedArena) {
    this.#arena = arena;
    this.root = arena.allocate(COLUMN_SIZE);
    const directory = this.#newDirectory(FIRST_PAGE_CAPACITY);
    arena.u32[(this.root + COLUMN_DIRECTORY) >>> 2] = directory;
    arena.u32[(this.root + COLUMN_PAGE_CAPACITY) >>> 2] = FIRST_PAGE_CAPACITY;
    arena.u32[(this.root + COLUMN_COUNT) >>> 2] = 0;
  }

  /** How many series have a value. */
  get size(): number {
    return this.#arena.u32[(this.root + COLUMN_COUNT) >>> 2]!;
  }

  get(ref: SeriesRef): number {
    return columnValue(this.#arena.u32, this.root, ref);
  }

  set(ref: SeriesRef, value: number): void {
    const number = ref >>> PAGE_BITS;
    let page = this.#page(number);
    if (page === 0) {
      if (value === 0) return;
      page = this.#addPage(number);
    }
    const { u32 } = this.#arena;
    const at = (page >>> 2) + (ref & (PAGE_COUNT - 1));
    const change = (value === 0 ? 0 : 1) - (u32[at] === 0 ? 0 : 1);
    u32[at] = value;
    u32[(this.root + COLUMN_COUNT) >>> 2]! += change;
    if ((this.#used[number]! += change) === 0) {
      u32[(this.#directory >>> 2) + number] = 0;
      this.#arena.free(page, PAGE_BYTES);
    }
  }

  /** Series and values in the order of refs. Setting the series at hand is allowed meanwhile. */
  *entries(): IterableIterator<readonly [ref: SeriesRef, value: number]> {
    for (let number = 0; number < this.#pageCapacity; number++) {
      for (let slot = 0; slot < PAGE_COUNT; slot++) {
        const page = this.#page(number);
        if (page === 0) break;
        const value = this.#arena.u32[(page >>> 2) + slot]!;
        if (value !== 0) yield [number * PAGE_COUNT + slot, value];
      }
    }
  }

  /** Gives all memory back; the column is not to be used again. */
  release(): void {
    const arena = this.#arena;
    for (let number = 0; number < this.#pageCapacity; number++) {
      const page = this.#page(number);
      if (page !== 0) arena.free(page, PAGE_BYTES);
    }
    arena.free(this.#directory, this.#pageCapacity * 4);
    arena.free(this.root, COLUMN_SIZE);
  }

  get #directory(): number {
    return this.#arena.u32[(this.root + COLUMN_DIRECTORY) >>> 2]!;
  }

  get #pageCapacity(): number {
    return this.#arena.u32[(this.root + COLUMN_PAGE_CAPACITY) >>> 2]!;
  }

  #page(number: number): number {
    return number < this.#pageCapacity ? this.#arena.u32[(this.#directory >>> 2) + number]! : 0;
  }

  #addPage(number: number): number {
    const arena = this.#arena;
    if (number >= this.#pageCapacity) this.#growDirectory(number + 1);
    const page = arena.allocate(PAGE_BYTES);
    arena.u8.fill(0, page, page + PAGE_BYTES);
    arena.u32[(this.#directory >>> 2) + number] = page;
    while (this.#used.length <= number) this.#used.push(0);
    return page;
  }

  #growDirectory(pages: number): void {
    const arena = this.#arena;
    const old = this.#directory;
    const oldCapacity = this.#pageCapacity;
    const capacity = Math.max(pages, oldCapacity * 2);
    const directory = this.#newDirectory(capacity);
    arena.u8.copyWithin(directory, old, old + oldCapacity * 4);
    arena.u32[(this.root + COLUMN_DIRECTORY) >>> 2] = directory;
    arena.u32[(this.root + COLUMN_PAGE_CAPACITY) >>> 2] = capacity;
    arena.free(old, oldCapacity * 4);
  }

  #newDirectory(capacity: number): number {
    const address = this.#arena.allocate(capacity * 4);
    this.#arena.u8.fill(0, address, address + capacity * 4);
    return address;
  }
}

/** The value of a series in the column at `root`, on any thread; `u32` is a view of the whole memory. */
export function columnValue(u32: Uint32Array, root: number, ref: SeriesRef): number {
  const number = ref >>> PAGE_BITS;
  if (number >= u32[(root + COLUMN_PAGE_CAPACITY) >>> 2]!) return 0;
  const page = u32[(u32[(root + COLUMN_DIRECTORY) >>> 2]! >>> 2) + number];
  return page === undefined || page === 0 ? 0 : (u32[(page >>> 2) + (ref & (PAGE_COUNT - 1))] ?? 0);
}
