import type { Symbols } from './symbols.ts';

/** Which symbols of an index stand for one of some label names; the text of each is looked at once. */
export class NameSymbols {
  readonly #symbols: Symbols;
  readonly #names: ReadonlySet<string>;
  readonly #known = new Map<number, boolean>();

  constructor(symbols: Symbols, names: ReadonlySet<string>) {
    this.#symbols = symbols;
    this.#names = names;
  }

  has(symbol: number): boolean {
    let isOne = this.#known.get(symbol);
    if (isOne === undefined) this.#known.set(symbol, (isOne = this.#names.has(this.#symbols.lookup(symbol))));
    return isOne;
  }
}
