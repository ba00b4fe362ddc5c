import { Labels } from '../../model/index.ts';
import { LabelTree } from '../label-tree.ts';
import { NameSymbols } from './name-symbols.ts';
import type { Symbols } from './symbols.ts';

/** Of the labels of series those with certain names; one object for all series that have the same. */
export class Projector {
  readonly #symbols: Symbols;
  readonly #wanted: NameSymbols;
  readonly #root = new LabelTree();

  constructor(symbols: Symbols, names: readonly string[]) {
    this.#symbols = symbols;
    this.#wanted = new NameSymbols(symbols, new Set(names));
  }

  /** @param symbols from index `from` to `end` name, value, name, … in order of the names */
  project(symbols: Uint32Array, from: number, end: number): Labels {
    let node = this.#root;
    for (let i = from; i < end; i += 2) {
      if (this.#wanted.has(symbols[i]!)) node = node.next(symbols[i]!).next(symbols[i + 1]!);
    }
    return (node.labels ??= this.#labels(symbols, from, end));
  }

  #labels(symbols: Uint32Array, from: number, end: number): Labels {
    const pairs: string[] = [];
    for (let i = from; i < end; i += 2) {
      if (this.#wanted.has(symbols[i]!))
        pairs.push(this.#symbols.lookup(symbols[i]!), this.#symbols.lookup(symbols[i + 1]!));
    }
    return new Labels(pairs);
  }
}
