import { IdHash } from '../id-hash.ts';
import type { Symbols } from './symbols.ts';

/** Hashes of the labels of series but for those with certain names, by their symbols: no text is read. */
export class LabelHasher {
  readonly #symbols: Symbols;
  readonly #names: ReadonlySet<string>;
  /** By symbol of a name: whether it is one of those. */
  readonly #isLeftOut = new Map<number, boolean>();
  readonly #hash = new IdHash();

  constructor(symbols: Symbols, names: ReadonlySet<string>) {
    this.#symbols = symbols;
    this.#names = names;
  }

  /** @param symbols from index `from` to `end` name, value, name, … in order of the names */
  hash(symbols: Uint32Array, from: number, end: number): number {
    const hash = this.#hash;
    hash.begin();
    for (let i = from; i < end; i += 2) {
      if (this.#leavesOut(symbols[i]!)) continue;
      hash.add(symbols[i]!);
      hash.add(symbols[i + 1]!);
    }
    return hash.value;
  }

  #leavesOut(name: number): boolean {
    let isLeftOut = this.#isLeftOut.get(name);
    if (isLeftOut === undefined) {
      isLeftOut = this.#names.has(this.#symbols.lookup(name));
      this.#isLeftOut.set(name, isLeftOut);
    }
    return isLeftOut;
  }
}
