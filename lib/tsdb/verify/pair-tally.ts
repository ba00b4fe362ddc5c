import type { IndexReader } from '../block/index-reader.ts';
import type { IndexSeries } from '../block/index-series.ts';

interface Tally {
  series: number;
  /** Sum of the hashes of the refs. */
  hash: number;
}

/** Which series have which label pair: first counted from the series, then compared with the postings lists. */
export class PairTally {
  /** By the symbols of name and value. */
  readonly #pairs = new Map<number, Map<number, Tally>>();

  add(ref: number, { symbols, labelCount }: IndexSeries): void {
    for (let i = 0; i < 2 * labelCount; i += 2) {
      let values = this.#pairs.get(symbols[i]!);
      if (values === undefined) this.#pairs.set(symbols[i]!, (values = new Map()));
      let tally = values.get(symbols[i + 1]!);
      if (tally === undefined) values.set(symbols[i + 1]!, (tally = { series: 0, hash: 0 }));
      tally.series++;
      tally.hash = (tally.hash + hashOf(ref)) >>> 0;
    }
  }

  /** @throws PromletError `storage/bad-block` when a postings list is damaged */
  compare(index: IndexReader, fail: (sentence: string) => void): void {
    const names = new Set(index.labelNames());
    for (const [nameSymbol, tallies] of this.#pairs) {
      const name = index.symbols.lookup(nameSymbol);
      if (!names.delete(name)) {
        fail(`no postings of the label ${name}, which series have`);
        continue;
      }
      const expected = new Map([...tallies].map(([symbol, tally]) => [index.symbols.lookup(symbol), tally]));
      for (const [value, list] of index.valuePostings(name)) {
        const tally = expected.get(value);
        const hash = list.reduce((sum, ref) => (sum + hashOf(ref)) >>> 0, 0);
        if (tally?.series !== list.length || tally.hash !== hash)
          fail(`the postings of ${name}=${value} name other series`);
        expected.delete(value);
      }
      for (const value of expected.keys()) fail(`no postings of ${name}=${value}, which series have`);
    }
    for (const name of names) fail(`postings of the label ${name}, which no series has`);
  }
}

/** The finalizer of murmur3. */
function hashOf(ref: number): number {
  let hash = Math.imul(ref ^ (ref >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
