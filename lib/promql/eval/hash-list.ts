/**
 * Different hashes of 53 bits in the order of their coming, found by open addressing. A `Map` or `Set` of such numbers takes
 * ten times as long: each is an object to it.
 */
export class HashList {
  #hashes = new Float64Array(16);
  /** Places of the hashes + 1, 0 where a slot is free; a power of two, half of them free or more. */
  #slots = new Int32Array(32);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** A copy. */
  get hashes(): Float64Array {
    return this.#hashes.slice(0, this.#length);
  }

  /** @returns its place, -1 when it has none */
  find(hash: number): number {
    return this.#slots[this.#slotOf(hash)]! - 1;
  }

  /** @returns its place: `length` as it was, when it is new */
  add(hash: number): number {
    const slot = this.#slotOf(hash);
    const place = this.#slots[slot]! - 1;
    if (place >= 0) return place;
    this.#hashes[this.#length++] = hash;
    this.#slots[slot] = this.#length;
    if (this.#length === this.#hashes.length) this.#grow();
    return this.#length - 1;
  }

  /** Where the hash is, or would be. */
  #slotOf(hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = Math.imul(hash >>> 0, 0x9e3779b1) & mask;
    for (;;) {
      const place = this.#slots[slot]!;
      if (place === 0 || this.#hashes[place - 1] === hash) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const hashes = new Float64Array(2 * this.#hashes.length);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    this.#slots = new Int32Array(2 * hashes.length);
    for (let i = 0; i < this.#length; i++) this.#slots[this.#slotOf(hashes[i]!)] = i + 1;
  }
}
