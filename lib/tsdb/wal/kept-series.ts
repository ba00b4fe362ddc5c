import type { SeriesRef } from '../../storage/index.ts';

const FIRST_WORDS = 1024;

/** A set of series refs, a bit each, that can be sent to another thread as its `words`: what a checkpoint keeps. */
export class KeptSeries {
  words: Uint32Array<ArrayBuffer>;

  constructor(words: Uint32Array<ArrayBuffer> = new Uint32Array(FIRST_WORDS)) {
    this.words = words;
  }

  add(ref: SeriesRef): void {
    const at = ref >>> 5;
    if (at >= this.words.length) {
      const words = new Uint32Array(Math.max(at + 1, this.words.length * 2));
      words.set(this.words);
      this.words = words;
    }
    this.words[at]! |= 1 << (ref & 31);
  }

  has(ref: SeriesRef): boolean {
    return ((this.words[ref >>> 5] ?? 0) & (1 << (ref & 31))) !== 0;
  }
}
