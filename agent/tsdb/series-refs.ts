import type { SeriesRef } from '../../lib/storage/index.ts';

/**
 * Refs by the bytes that name a series in the input, so that labels are built once per series. Text dumps hold the samples of
 * a series one after the other, so the last one is compared first.
 */
export class SeriesRefs {
  readonly #refs = new Map<string, SeriesRef>();
  #last: Uint8Array = new Uint8Array(1024);
  #lastLength = -1;
  #lastType = '';
  #lastRef: SeriesRef = 0;

  /** @param type what the bytes mean may depend on it */
  get(bytes: Buffer, start: number, end: number, type: string, create: () => SeriesRef): SeriesRef {
    if (type === this.#lastType && this.#isLast(bytes, start, end)) return this.#lastRef;
    const key = `${type} ${bytes.toString('latin1', start, end)}`;
    let ref = this.#refs.get(key);
    if (ref === undefined) this.#refs.set(key, (ref = create()));
    this.#remember(bytes, start, end, type, ref);
    return ref;
  }

  #isLast(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (length !== this.#lastLength) return false;
    const last = this.#last;
    // Series that follow each other differ at the end.
    for (let i = length - 1; i >= 0; i--) if (last[i] !== bytes[start + i]) return false;
    return true;
  }

  #remember(bytes: Uint8Array, start: number, end: number, type: string, ref: SeriesRef): void {
    const length = end - start;
    if (length > this.#last.length) this.#last = new Uint8Array(2 * length);
    this.#last.set(bytes.subarray(start, end));
    this.#lastLength = length;
    this.#lastType = type;
    this.#lastRef = ref;
  }
}
