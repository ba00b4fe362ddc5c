import { IdHash } from '../id-hash.ts';
import { NameSymbols } from './name-symbols.ts';
import type { Symbols } from './symbols.ts';

/** Hashes of the labels of series but for those with certain names, by their symbols: no text is read. */
export class LabelHasher {
  readonly #leftOut: NameSymbols;
  readonly #hash = new IdHash();

  constructor(symbols: Symbols, names: ReadonlySet<string>) {
    this.#leftOut = new NameSymbols(symbols, names);
  }

  /** @param symbols from index `from` to `end` name, value, name, … in order of the names */
  hash(symbols: Uint32Array, from: number, end: number): number {
    const hash = this.#hash;
    hash.begin();
    for (let i = from; i < end; i += 2) {
      if (this.#leftOut.has(symbols[i]!)) continue;
      hash.add(symbols[i]!);
      hash.add(symbols[i + 1]!);
    }
    return hash.value;
  }
}
