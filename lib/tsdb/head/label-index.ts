import type { SharedArena } from '../../kernels/index.ts';
import { Labels } from '../../model/index.ts';

/** The pair id under which every series is listed. */
export const ALL_SERIES = 0;

/**
 * Label sets to refs and back, and the postings. A label set is stored as the ids of its (name, value) pairs, in label
 * order; equal sets have equal ids, so that comparing costs no strings.
 *
 *     names ─▶ values ─▶ pair id ─▶ postings: sorted refs (u32, arena)
 *     hash of ids ─▶ table (open-addressed: hash, ref) ─▶ ref ─▶ ids (u32 count, ids…; arena)
 */
export class LabelIndex {
  readonly #arena: SharedArena;
  readonly #names = new Map<string, Map<string, number>>();
  /** Per pair id. */
  readonly #pairNames: string[] = [''];
  readonly #pairValues: string[] = [''];
  /** Per pair id: address of its refs, or the ref itself while there is but one. */
  #postings = new Uint32Array(1024);
  #postingsLength = new Uint32Array(1024);
  #postingsCapacity = new Uint32Array(1024);
  /** hash, ref, hash, ref, …; ref 0 is free. A power of two of slots, at most three quarters in use. */
  #table = new Uint32Array(2 * 1024);
  #size = 0;
  #ids = new Uint32Array(64);

  constructor(arena: SharedArena) {
    this.#arena = arena;
  }

  get numSeries(): number {
    return this.#size;
  }

  get numPairs(): number {
    return this.#pairNames.length - 1;
  }

  /** The ref of a label set, 0 when there is none. `idsOf` gives the address of a ref's ids. */
  find(labels: Labels, idsOf: (ref: number) => number): number {
    const { pairs } = labels;
    const count = pairs.length / 2;
    if (count > this.#ids.length) this.#ids = new Uint32Array(count * 2);
    const ids = this.#ids;
    for (let i = 0; i < count; i++) {
      const id = this.#names.get(pairs[2 * i]!)?.get(pairs[2 * i + 1]!);
      if (id === undefined) return 0;
      ids[i] = id;
    }
    const hash = hashIds(ids, count);
    const table = this.#table;
    const mask = table.length / 2 - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const ref = table[2 * slot + 1]!;
      if (ref === 0) return 0;
      if (table[2 * slot] === hash && this.#sameIds(idsOf(ref), ids, count)) return ref;
    }
  }

  /** Adds a label set that `find` does not know. @returns the address of its ids */
  add(ref: number, labels: Labels): number {
    const { pairs } = labels;
    const count = pairs.length / 2;
    if (count > this.#ids.length) this.#ids = new Uint32Array(count * 2);
    const ids = this.#ids;
    for (let i = 0; i < count; i++) ids[i] = this.#intern(pairs[2 * i]!, pairs[2 * i + 1]!);
    const address = this.#arena.allocate(4 + 4 * count);
    const { u32 } = this.#arena;
    u32[address >>> 2] = count;
    for (let i = 0; i < count; i++) u32[(address >>> 2) + 1 + i] = ids[i]!;
    for (let i = 0; i < count; i++) this.#addPosting(ids[i]!, ref);
    this.#addPosting(ALL_SERIES, ref);
    if ((this.#size + 1) * 4 > (this.#table.length / 2) * 3) this.#growTable();
    insert(this.#table, hashIds(ids, count), ref);
    this.#size++;
    return address;
  }

  /** The labels whose ids lie at `address`. */
  labelsAt(address: number): Labels {
    const { u32 } = this.#arena;
    const at = address >>> 2;
    const count = u32[at]!;
    const pairs: string[] = [];
    for (let i = 0; i < count; i++) {
      const id = u32[at + 1 + i]!;
      pairs.push(this.#pairNames[id]!, this.#pairValues[id]!);
    }
    return new Labels(pairs);
  }

  names(): IterableIterator<string> {
    return this.#names.keys();
  }

  /** Values of a label with their pair ids. */
  values(name: string): ReadonlyMap<string, number> | undefined {
    return this.#names.get(name);
  }

  pairId(name: string, value: string): number | undefined {
    return this.#names.get(name)?.get(value);
  }

  pairName(id: number): string {
    return this.#pairNames[id]!;
  }

  pairValue(id: number): string {
    return this.#pairValues[id]!;
  }

  postingsLength(id: number): number {
    return this.#postingsLength[id]!;
  }

  /** Sorted refs of the series with this pair. A view: valid until the next series is created. */
  postings(id: number): Uint32Array {
    const length = this.#postingsLength[id]!;
    if (length === 1) return this.#postings.subarray(id, id + 1);
    const at = this.#postings[id]! >>> 2;
    return this.#arena.u32.subarray(at, at + length);
  }

  /** Calls `visit` with each pair id of the ids at `address`. */
  eachPair(address: number, visit: (id: number) => void): void {
    const { u32 } = this.#arena;
    const at = address >>> 2;
    for (let i = 1; i <= u32[at]!; i++) visit(u32[at + i]!);
  }

  #intern(name: string, value: string): number {
    let values = this.#names.get(name);
    if (values === undefined) this.#names.set(name, (values = new Map()));
    let id = values.get(value);
    if (id === undefined) {
      id = this.#pairNames.length;
      values.set(value, id);
      this.#pairNames.push(name);
      this.#pairValues.push(value);
      if (id >= this.#postings.length) this.#growPairs();
    }
    return id;
  }

  #growPairs(): void {
    const capacity = Math.ceil(this.#postings.length * 1.5);
    this.#postings = enlarged(this.#postings, capacity);
    this.#postingsLength = enlarged(this.#postingsLength, capacity);
    this.#postingsCapacity = enlarged(this.#postingsCapacity, capacity);
  }

  #addPosting(id: number, ref: number): void {
    const length = this.#postingsLength[id]!;
    this.#postingsLength[id] = length + 1;
    if (length === 0) {
      this.#postings[id] = ref;
      return;
    }
    if (length === 1 || length === this.#postingsCapacity[id]!) this.#growPostings(id, length);
    const { u32 } = this.#arena;
    const start = this.#postings[id]! >>> 2;
    let at = start + length;
    // Refs ascend, but for series records that another writer's threads logged out of order.
    while (at > start && u32[at - 1]! > ref) {
      u32[at] = u32[at - 1]!;
      at--;
    }
    u32[at] = ref;
  }

  #growPostings(id: number, length: number): void {
    const arena = this.#arena;
    const sizeBytes = arena.capacityOf(Math.max(16, length * 4 + 4));
    const address = arena.allocate(sizeBytes);
    const old = this.#postings[id]!;
    if (length === 1) {
      arena.u32[address >>> 2] = old;
    } else {
      arena.u32.copyWithin(address >>> 2, old >>> 2, (old >>> 2) + length);
      arena.free(old, this.#postingsCapacity[id]! * 4);
    }
    this.#postings[id] = address;
    this.#postingsCapacity[id] = sizeBytes / 4;
  }

  #sameIds(address: number, ids: Uint32Array, count: number): boolean {
    const { u32 } = this.#arena;
    const at = address >>> 2;
    if (u32[at] !== count) return false;
    for (let i = 0; i < count; i++) if (u32[at + 1 + i] !== ids[i]) return false;
    return true;
  }

  #growTable(): void {
    const old = this.#table;
    const table = new Uint32Array(old.length * 2);
    for (let i = 0; i < old.length; i += 2) if (old[i + 1] !== 0) insert(table, old[i]!, old[i + 1]!);
    this.#table = table;
  }
}

function insert(table: Uint32Array, hash: number, ref: number): void {
  const mask = table.length / 2 - 1;
  let slot = hash & mask;
  while (table[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
  table[2 * slot] = hash;
  table[2 * slot + 1] = ref;
}

/** murmur3's mixing over the ids. */
function hashIds(ids: Uint32Array, count: number): number {
  let hash = count;
  for (let i = 0; i < count; i++) {
    let word = Math.imul(ids[i]!, 0xcc9e2d51);
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593);
    hash ^= word;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function enlarged(array: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(capacity);
  out.set(array);
  return out;
}
