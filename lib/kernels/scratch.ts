import type { SharedArena } from './memory.ts';

/** One block of the arena that grows to what is asked for and is then kept. Contents are lost when it grows. */
export class Scratch {
  readonly #arena: SharedArena;
  address = 0;
  capacity = 0;

  constructor(arena: SharedArena) {
    this.#arena = arena;
  }

  /** @returns the address, with room for `sizeBytes` */
  reserve(sizeBytes: number): number {
    if (sizeBytes > this.capacity) {
      this.release();
      this.capacity = this.#arena.capacityOf(sizeBytes);
      this.address = this.#arena.allocate(this.capacity);
    }
    return this.address;
  }

  /** As `reserve`, keeping the first `keepBytes`. */
  grow(sizeBytes: number, keepBytes: number): number {
    if (sizeBytes > this.capacity) {
      const capacity = this.#arena.capacityOf(Math.max(sizeBytes, this.capacity * 2));
      const address = this.#arena.allocate(capacity);
      this.#arena.u8.copyWithin(address, this.address, this.address + keepBytes);
      this.release();
      this.address = address;
      this.capacity = capacity;
    }
    return this.address;
  }

  release(): void {
    if (this.capacity > 0) this.#arena.free(this.address, this.capacity);
    this.capacity = 0;
  }
}
