/**
 * Floats of so many bytes lie together. Arrays of their own for each series, of some KiB, left the C library with a heap full of
 * holes, which it does not give back: 50 MB of RSS after a few answers with 2,000 series.
 */
const SLAB_LENGTH = (1 << 20) / Float64Array.BYTES_PER_ELEMENT;
/** Of the first piece; each is so many times as long as the one before. A first of 1 MiB took a tenth of the CPU of reading one series. */
const FIRST_SLAB_LENGTH = SLAB_LENGTH / 256;
const GROWTH = 4;

/** Columns of many series, cut from large pieces of memory. One is collected when none of its columns is needed. */
export class FloatSlabs {
  #slab = new Float64Array(0);
  #used = 0;

  /** Zeros. */
  floats(count: number): Float64Array {
    if (count > SLAB_LENGTH / 4) return new Float64Array(count);
    if (this.#used + count > this.#slab.length) {
      const grown = Math.max(FIRST_SLAB_LENGTH, GROWTH * this.#slab.length, GROWTH * count);
      this.#slab = new Float64Array(Math.min(SLAB_LENGTH, grown));
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
