import { assert } from '../../model/index.ts';
import type { MemoryShare } from './memory-budget.ts';

/** Memory is taken in steps, so that shared memory is looked at rarely. */
const STEP_BYTES = 256 << 10;

/** What another thread needs to know of a place in a pool. */
export interface PoolPlace {
  /** Steps that each thread has taken. */
  readonly taken: Int32Array<SharedArrayBuffer>;
  readonly index: number;
  readonly maxBytes: number;
}

/**
 * Memory that the queries of all threads may take together. Each thread writes down what it has in a place of its own: what
 * one had that was killed is free as soon as its place is.
 */
export class MemoryPool {
  readonly maxBytes: number;
  readonly #taken: Int32Array<SharedArrayBuffer>;
  readonly #free: number[];

  /** @param places of threads at a time */
  constructor(maxBytes: number, places: number) {
    this.maxBytes = maxBytes;
    this.#taken = new Int32Array(new SharedArrayBuffer(places * Int32Array.BYTES_PER_ELEMENT));
    this.#free = Array.from({ length: places }, (_, i) => places - 1 - i);
  }

  /** What all have. */
  get takenBytes(): number {
    return sumOf(this.#taken) * STEP_BYTES;
  }

  /** For a thread. */
  open(): PoolPlace {
    const index = this.#free.pop();
    assert(index !== undefined, 'memory pool: more threads than places');
    return { taken: this.#taken, index, maxBytes: this.maxBytes };
  }

  /** When the thread has ended, however it did: what it had is free. */
  close({ index }: PoolPlace): void {
    Atomics.store(this.#taken, index, 0);
    this.#free.push(index);
  }
}

/** What one thread has of a pool. It grows with the largest need of a request: what is garbage is still there. */
export class PoolShare implements MemoryShare {
  readonly #place: PoolPlace;
  #steps = 0;

  constructor(place: PoolPlace) {
    this.#place = place;
  }

  get maxBytes(): number {
    return this.#place.maxBytes;
  }

  cover(bytes: number): boolean {
    const steps = Math.ceil(bytes / STEP_BYTES);
    if (steps <= this.#steps) return true;
    const { taken, index, maxBytes } = this.#place;
    // First written down, then looked at: of two at a time none overlooks the other.
    Atomics.store(taken, index, steps);
    if (sumOf(taken) * STEP_BYTES > maxBytes) {
      Atomics.store(taken, index, this.#steps);
      return false;
    }
    this.#steps = steps;
    return true;
  }

  /** Gives all back, when a request is done. */
  release(): void {
    this.#steps = 0;
    Atomics.store(this.#place.taken, this.#place.index, 0);
  }
}

function sumOf(taken: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < taken.length; i++) sum += Atomics.load(taken, i);
  return sum;
}
