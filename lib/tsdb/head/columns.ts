import type { SharedArena } from '../../kernels/index.ts';

/** Samples on their way into the head, as three columns in the arena: u32 refs, f64 ms, f64 values (exact bits). */
export class SampleBuffer {
  readonly #arena: SharedArena;
  refs = 0;
  times = 0;
  values = 0;
  capacity = 0;
  length = 0;

  constructor(arena: SharedArena) {
    this.#arena = arena;
  }

  /** Makes room for `extra` more samples; addresses may change. */
  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.capacity) return;
    const arena = this.#arena;
    const capacity = arena.capacityOf(Math.max(needed, 256) * 8) / 8;
    const refs = arena.allocate(capacity * 4);
    const times = arena.allocate(capacity * 8);
    const values = arena.allocate(capacity * 8);
    const { u8 } = arena;
    u8.copyWithin(refs, this.refs, this.refs + this.length * 4);
    u8.copyWithin(times, this.times, this.times + this.length * 8);
    u8.copyWithin(values, this.values, this.values + this.length * 8);
    this.release();
    this.refs = refs;
    this.times = times;
    this.values = values;
    this.capacity = capacity;
  }

  /** Gives the memory back; `length` stays. */
  release(): void {
    if (this.capacity === 0) return;
    this.#arena.free(this.refs, this.capacity * 4);
    this.#arena.free(this.times, this.capacity * 8);
    this.#arena.free(this.values, this.capacity * 8);
    this.capacity = 0;
  }
}
