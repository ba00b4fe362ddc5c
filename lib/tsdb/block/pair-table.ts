import { PromletError } from '../../model/index.ts';
import { MAX_LABEL_NAMES } from './format.ts';

/**
 * The distinct label pairs of an index that is written, with how many series have each. Pairs are two symbol ids; after
 * `sort` they are numbered in the order of the index, by name and value. Memory: 28…36 bytes a pair.
 */
export class PairTable {
  count = 0;
  /** Per pair. */
  names: Uint32Array = new Uint32Array(1024);
  values: Uint32Array = new Uint32Array(1024);
  uses: Uint32Array = new Uint32Array(1024);
  /** pair + 1; 0 is free. Open addressing, at most half full. */
  #table: Uint32Array = new Uint32Array(4096);

  /** Counts one use. */
  use(name: number, value: number): void {
    const slot = this.#slotOf(name, value);
    const entry = this.#table[slot]!;
    if (entry !== 0) {
      this.uses[entry - 1]!++;
      return;
    }
    if (this.count === this.uses.length) this.#growColumns();
    const pair = this.count++;
    this.names[pair] = name;
    this.values[pair] = value;
    this.uses[pair] = 1;
    this.#table[slot] = pair + 1;
    if (2 * this.count > this.#table.length) this.#rehash(this.#table.length * 2);
  }

  /** The number of a pair that was used. */
  indexOf(name: number, value: number): number {
    return this.#table[this.#slotOf(name, value)]! - 1;
  }

  /** Numbers the pairs by name, then value. @throws PromletError `storage/bad-series` for too many names */
  sort(): void {
    const { names, values, uses, count } = this;
    // Numbers sort natively; the rank of a name instead of its id keeps the key exact.
    const distinct = Uint32Array.from(new Set(names.subarray(0, count))).sort();
    if (distinct.length > MAX_LABEL_NAMES) {
      throw new PromletError('storage/bad-series', `${distinct.length} label names, the limit is ${MAX_LABEL_NAMES}`);
    }
    const ranks = new Map<number, number>();
    for (const [rank, name] of distinct.entries()) ranks.set(name, rank);
    const keys = new Float64Array(count);
    for (let i = 0; i < count; i++) keys[i] = ranks.get(names[i]!)! * 2 ** 32 + values[i]!;
    keys.sort();
    const sortedNames = new Uint32Array(count);
    const sortedValues = new Uint32Array(count);
    const sortedUses = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const rank = Math.floor(keys[i]! / 2 ** 32);
      sortedNames[i] = distinct[rank]!;
      sortedValues[i] = keys[i]! - rank * 2 ** 32;
      sortedUses[i] = uses[this.indexOf(sortedNames[i]!, sortedValues[i]!)]!;
    }
    this.names = sortedNames;
    this.values = sortedValues;
    this.uses = sortedUses;
    this.#rehash(this.#table.length);
  }

  #slotOf(name: number, value: number): number {
    const mask = this.#table.length - 1;
    let slot = hash(name, value) & mask;
    for (; ; slot = (slot + 1) & mask) {
      const entry = this.#table[slot]!;
      if (entry === 0 || (this.names[entry - 1] === name && this.values[entry - 1] === value)) return slot;
    }
  }

  #rehash(capacity: number): void {
    this.#table = new Uint32Array(capacity);
    for (let pair = 0; pair < this.count; pair++) {
      this.#table[this.#slotOf(this.names[pair]!, this.values[pair]!)] = pair + 1;
    }
  }

  #growColumns(): void {
    const capacity = this.count * 2;
    this.names = grown(this.names, capacity);
    this.values = grown(this.values, capacity);
    this.uses = grown(this.uses, capacity);
  }
}

function grown(array: Uint32Array, capacity: number): Uint32Array {
  const out = new Uint32Array(capacity);
  out.set(array);
  return out;
}

function hash(name: number, value: number): number {
  const mixed = Math.imul(value, 0x9e3779b1) ^ Math.imul(name, 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
