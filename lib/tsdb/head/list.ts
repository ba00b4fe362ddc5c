import { layout, type SharedArena } from '../../kernels/index.ts';

const { LIST_CAPACITY, LIST_ITEMS, LIST_LENGTH } = layout;

/** Lists of u32 in the arena (layout.ts, LIST_…), each known by its address. */
export class Lists {
  readonly #arena: SharedArena;

  constructor(arena: SharedArena) {
    this.#arena = arena;
  }

  length(list: number): number {
    return this.#arena.u32[(list + LIST_LENGTH) >>> 2]!;
  }

  /** The items where they lie: valid until the arena grows or the list changes. */
  items(list: number): Uint32Array {
    const { u32 } = this.#arena;
    const at = this.#itemsAt(list);
    return u32.subarray(at, at + u32[(list + LIST_LENGTH) >>> 2]!);
  }

  push(list: number, item: number): void {
    const length = this.#addPlace(list);
    this.#arena.u32[this.#itemsAt(list) + length] = item;
  }

  /** Puts an item into an ascending list. */
  insert(list: number, item: number): void {
    const field = list >>> 2;
    let { u32 } = this.#arena;
    const length = u32[field + LIST_LENGTH / 4]!;
    if (length < u32[field + LIST_CAPACITY / 4]!) {
      const end = (u32[field + LIST_ITEMS / 4]! >>> 2) + length;
      if (u32[end - 1]! < item) {
        u32[end] = item;
        u32[field + LIST_LENGTH / 4] = length + 1;
        return;
      }
    }
    this.#addPlace(list);
    u32 = this.#arena.u32;
    const start = this.#itemsAt(list);
    // Refs ascend, but for series records that another writer's threads logged out of order.
    let at = start + length;
    while (at > start && u32[at - 1]! > item) {
      u32[at] = u32[at - 1]!;
      at--;
    }
    u32[at] = item;
  }

  /** Puts the last item in the place of the one at `index`. @returns the item that is at `index` now, 0 for none */
  removeAt(list: number, index: number): number {
    const { u32 } = this.#arena;
    const start = this.#itemsAt(list);
    const last = this.length(list) - 1;
    const moved = index === last ? 0 : u32[start + last]!;
    u32[start + index] = moved;
    this.truncate(list, last);
    return moved;
  }

  /** Keeps the first `length` items, in a smaller block where that saves half. */
  truncate(list: number, length: number): void {
    const arena = this.#arena;
    const { u32 } = arena;
    const at = list >>> 2;
    const capacity = u32[at + LIST_CAPACITY / 4]!;
    u32[at + LIST_LENGTH / 4] = length;
    if (capacity === 0) return;
    const block = u32[at + LIST_ITEMS / 4]!;
    if (length <= 1) {
      u32[at + LIST_ITEMS / 4] = length === 0 ? 0 : u32[block >>> 2]!;
      u32[at + LIST_CAPACITY / 4] = 0;
    } else {
      const sizeBytes = arena.capacityOf(length * 4);
      if (sizeBytes * 2 > capacity * 4) return;
      this.#move(list, sizeBytes, length);
    }
    arena.free(block, capacity * 4);
  }

  /** Gives a list another block of items, of which `length` count. */
  replace(list: number, block: number, blockBytes: number, length: number): void {
    const { u32 } = this.#arena;
    const at = list >>> 2;
    const capacity = u32[at + LIST_CAPACITY / 4]!;
    if (capacity > 0) this.#arena.free(u32[at + LIST_ITEMS / 4]!, capacity * 4);
    u32[at + LIST_ITEMS / 4] = block;
    u32[at + LIST_CAPACITY / 4] = blockBytes / 4;
    this.truncate(list, length);
  }

  /** Makes the list longer by one item that is not set yet. @returns the length before */
  #addPlace(list: number): number {
    const arena = this.#arena;
    const at = list >>> 2;
    const length = arena.u32[at + LIST_LENGTH / 4]!;
    const capacity = arena.u32[at + LIST_CAPACITY / 4]!;
    if (length > 0 && (capacity === 0 || length === capacity)) {
      const block = arena.u32[at + LIST_ITEMS / 4]!;
      this.#move(list, arena.capacityOf(length * 4 + 4), length);
      if (capacity > 0) arena.free(block, capacity * 4);
    }
    arena.u32[at + LIST_LENGTH / 4] = length + 1;
    return length;
  }

  /** Copies `length` items to a block of `sizeBytes`; the old block is the caller's to free. */
  #move(list: number, sizeBytes: number, length: number): void {
    const from = this.#itemsAt(list);
    const block = this.#arena.allocate(sizeBytes);
    const { u32 } = this.#arena;
    u32.copyWithin(block >>> 2, from, from + length);
    u32[(list + LIST_ITEMS) >>> 2] = block;
    u32[(list + LIST_CAPACITY) >>> 2] = sizeBytes / 4;
  }

  /** Index of the first item in `u32`. */
  #itemsAt(list: number): number {
    const { u32 } = this.#arena;
    return u32[(list + LIST_CAPACITY) >>> 2] === 0 ? (list + LIST_ITEMS) >>> 2 : u32[(list + LIST_ITEMS) >>> 2]! >>> 2;
  }
}
