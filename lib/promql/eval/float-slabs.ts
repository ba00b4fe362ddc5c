/**
 * Floats of so many bytes lie together. Arrays of their own for each series, of some KiB, left the C library with a heap full of
 * holes, which it does not give back: 50 MB of RSS after a few answers with 2,000 series.
 */
const SLAB_LENGTH = (1 << 20) / Float64Array.BYTES_PER_ELEMENT;

/** Columns of many series, cut from large pieces of memory. One is collected when none of its columns is needed. */
export class FloatSlabs {
  #slab = new Float64Array(0);
  #used = 0;

  /** Zeros. */
  floats(count: number): Float64Array {
    if (count > SLAB_LENGTH / 4) return new Float64Array(count);
    if (this.#used + count > this.#slab.length) {
      this.#slab = new Float64Array(SLAB_LENGTH);
      this.#used = 0;
    }
    this.#used += count;
    return this.#slab.subarray(this.#used - count, this.#used);
  }

  copyOf(column: Float64Array): Float64Array {
    const copy = this.floats(column.length);
    copy.set(column);
    return copy;
  }
}
