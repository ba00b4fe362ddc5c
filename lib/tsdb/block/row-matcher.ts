import { type Kernels, Scratch } from '../../kernels/index.ts';
import type { PlainTest } from '../select.ts';
import type { EntryRows } from './entry-rows.ts';

/** What it costs to look at a row, and at a byte of it for so many bytes of patterns, as `Spend` counts. */
const ROW_WORK = 2;
const PATTERN_BYTES = 16;

/**
 * Matches values of the postings offset table where they lie, a tenth of what it takes to make them strings and match those. In
 * the arena are, all u32 but for the texts:
 *
 *     patterns │ bytes of all this, literals │ gap, length, bytes … │ gap, length, bytes … │ bytes of all this, …
 *                                              each up to a multiple of 4; the first gap says nothing
 */
export class RowMatcher {
  readonly #kernels: Kernels;
  readonly #patterns: Scratch;
  readonly #isNegated: boolean;
  readonly #work: number;

  constructor(kernels: Kernels, { patterns, isNegated }: PlainTest) {
    this.#kernels = kernels;
    this.#isNegated = isNegated;
    const parts: Buffer[] = [words(patterns.length)];
    let textBytes = 0;
    for (const { literals, gaps } of patterns) {
      const texts = literals.map((literal) => Buffer.from(literal));
      const fields = texts.flatMap((text, i) => [
        words(gaps[i - 1] ?? 0, text.length),
        text,
        Buffer.alloc(-text.length & 3),
      ]);
      const bytes = fields.reduce((sum, { length }) => sum + length, 8);
      parts.push(words(bytes, literals.length), ...fields);
      textBytes += texts.reduce((sum, { length }) => sum + length, 1);
    }
    const encoded = Buffer.concat(parts);
    this.#work = textBytes / PATTERN_BYTES;
    this.#patterns = new Scratch(kernels.arena);
    const address = this.#patterns.reserve(encoded.length);
    kernels.arena.u8.set(encoded, address);
  }

  /** What `keep` will cost. */
  workOf({ count, bytes }: EntryRows): number {
    return ROW_WORK * count + this.#work * bytes;
  }

  /** Leaves those that are wanted, and those that are not all ASCII, in front. @returns how many */
  keep({ address, count, base }: EntryRows): number {
    return this.#kernels.wasm.keepMatching(base, address, count, this.#patterns.address, Number(this.#isNegated));
  }

  release(): void {
    this.#patterns.release();
  }
}

function words(...values: number[]): Buffer {
  return Buffer.from(Uint32Array.from(values).buffer);
}
