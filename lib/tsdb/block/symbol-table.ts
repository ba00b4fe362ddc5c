import { compareUtf8, PromletError, shorten } from '../../model/index.ts';

/**
 * The symbols of an index that is written, to ids and back, without an object for each: their UTF-8 bytes one behind the
 * other, and a hash table of ids. Memory: the bytes, and 4 + 2 × 4…8 bytes a symbol.
 */
export class SymbolTable {
  #bytes: Buffer = Buffer.allocUnsafe(1 << 16);
  #length = 0;
  /** Where a symbol's bytes end; those of symbol id begin where those of id - 1 end. */
  #ends: Uint32Array = new Uint32Array(1024);
  /** id + 1; 0 is free. Open addressing, at most half full. */
  #table: Uint32Array = new Uint32Array(4096);
  #last: string | undefined;
  count = 0;

  /**
   * Adds the next in order of UTF-8 bytes.
   * @returns its bytes, valid until the next is added
   * @throws PromletError `storage/bad-symbols` when it is not behind the last
   */
  add(symbol: string): Uint8Array {
    if (this.#last !== undefined && compareUtf8(this.#last, symbol) >= 0) {
      throw new PromletError('storage/bad-symbols', `symbol "${shorten(symbol)}" is out of order`);
    }
    this.#last = symbol;
    const start = this.#length;
    const end = start + this.#append(symbol);
    if (this.count === this.#ends.length) this.#ends = grown(this.#ends);
    this.#ends[this.count++] = end;
    this.#length = end;
    if (2 * this.count > this.#table.length) this.#rehash();
    else this.#insert(this.count - 1);
    return this.#bytes.subarray(start, end);
  }

  /** @throws PromletError `storage/bad-symbols` when there is no such symbol */
  id(symbol: string): number {
    const start = this.#length;
    const end = start + this.#append(symbol);
    const mask = this.#table.length - 1;
    for (let slot = hash(this.#bytes, start, end) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#table[slot]!;
      if (entry === 0) throw new PromletError('storage/bad-symbols', `"${shorten(symbol)}" is not among the symbols`);
      if (this.#equals(entry - 1, start, end)) return entry - 1;
    }
  }

  /** The bytes of a symbol; a view. */
  bytes(id: number): Uint8Array {
    return this.#bytes.subarray(this.#startOf(id), this.#ends[id]);
  }

  /** Puts bytes behind those in use. @returns how many */
  #append(symbol: string): number {
    // A UTF-16 unit becomes three bytes at most.
    const needed = this.#length + 3 * symbol.length;
    if (needed > this.#bytes.length) {
      const bytes = Buffer.allocUnsafe(Math.max(needed, Math.ceil(this.#bytes.length * 1.5)));
      this.#bytes.copy(bytes, 0, 0, this.#length);
      this.#bytes = bytes;
    }
    return this.#bytes.write(symbol, this.#length, 'utf8');
  }

  #startOf(id: number): number {
    return id === 0 ? 0 : this.#ends[id - 1]!;
  }

  #equals(id: number, start: number, end: number): boolean {
    const from = this.#startOf(id);
    if (this.#ends[id]! - from !== end - start) return false;
    const bytes = this.#bytes;
    for (let i = from, j = start; j < end; i++, j++) if (bytes[i] !== bytes[j]) return false;
    return true;
  }

  #insert(id: number): void {
    const mask = this.#table.length - 1;
    let slot = hash(this.#bytes, this.#startOf(id), this.#ends[id]!) & mask;
    while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
    this.#table[slot] = id + 1;
  }

  #rehash(): void {
    this.#table = new Uint32Array(this.#table.length * 2);
    for (let id = 0; id < this.count; id++) this.#insert(id);
  }
}

function grown(array: Uint32Array): Uint32Array {
  const out = new Uint32Array(array.length * 2);
  out.set(array);
  return out;
}

/** FNV-1a, its upper half mixed into the lower. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5;
  for (let i = start; i < end; i++) value = Math.imul(value ^ bytes[i]!, 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}
