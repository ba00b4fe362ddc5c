import { Labels } from '../../model/index.ts';
import type { Symbols } from './symbols.ts';

/** Of the labels of series those with certain names; one object for all series that have the same. */
export class Projector {
  readonly #symbols: Symbols;
  readonly #names: ReadonlySet<string>;
  /** By symbol of a name: whether it is one of those. */
  readonly #isWanted = new Map<number, boolean>();
  readonly #root = new Node();

  constructor(symbols: Symbols, names: readonly string[]) {
    this.#symbols = symbols;
    this.#names = new Set(names);
  }

  /** @param symbols from index `from` to `end` name, value, name, … in order of the names */
  project(symbols: Uint32Array, from: number, end: number): Labels {
    let node = this.#root;
    for (let i = from; i < end; i += 2) {
      if (this.#wants(symbols[i]!)) node = node.next(symbols[i]!).next(symbols[i + 1]!);
    }
    return (node.labels ??= this.#labels(symbols, from, end));
  }

  #wants(name: number): boolean {
    let isWanted = this.#isWanted.get(name);
    if (isWanted === undefined) {
      isWanted = this.#names.has(this.#symbols.lookup(name));
      this.#isWanted.set(name, isWanted);
    }
    return isWanted;
  }

  #labels(symbols: Uint32Array, from: number, end: number): Labels {
    const pairs: string[] = [];
    for (let i = from; i < end; i += 2) {
      if (this.#wants(symbols[i]!))
        pairs.push(this.#symbols.lookup(symbols[i]!), this.#symbols.lookup(symbols[i + 1]!));
    }
    return new Labels(pairs);
  }
}

/** A prefix of symbols. */
class Node {
  labels: Labels | undefined;
  readonly #next = new Map<number, Node>();

  next(symbol: number): Node {
    let node = this.#next.get(symbol);
    if (node === undefined) this.#next.set(symbol, (node = new Node()));
    return node;
  }
}
