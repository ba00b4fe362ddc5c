import { unionDisjoint } from '../postings.ts';
import type { PostingsSource, ValueTest, Watch } from '../select.ts';
import type { HeadView } from './head-view.ts';

const NONE = new Uint32Array(0);

/** The head's index as selecting sees it. To be used within `view.read`; lists that are returned are views. */
export class HeadPostings implements PostingsSource {
  readonly isSorted = false;
  readonly #view: HeadView;

  constructor(view: HeadView) {
    this.#view = view;
  }

  allPostings(): Uint32Array {
    return this.#view.allSeries();
  }

  postings(name: string, value: string): Uint32Array {
    const pair = this.#view.findPair(name, value);
    return pair === 0 ? NONE : this.#view.postings(pair);
  }

  valueCount(name: string): number {
    return this.pairs(name).length;
  }

  postingsWhere(name: string, { prefix, accepts }: ValueTest, { spend }: Watch): Uint32Array {
    const view = this.#view;
    const lists: Uint32Array[] = [];
    for (const pair of this.pairs(name)) {
      const value = view.pairValue(pair);
      if (value.startsWith(prefix) && accepts(value)) lists.push(view.postings(pair));
    }
    return unionDisjoint(lists, spend);
  }

  filter(refs: Uint32Array, name: string, accepts: (value: string) => boolean): Uint32Array {
    const values = this.valuesOf(refs, name);
    return refs.filter((_, i) => accepts(values[i]!));
  }

  /** Of each series its value of a label, '' when it has none. */
  valuesOf(refs: Uint32Array, name: string): string[] {
    const wanted = this.#view.findName(name);
    return Array.from(refs, (ref) => {
      const pair = this.#pairOf(ref, wanted);
      return pair === 0 ? '' : this.#view.pairValue(pair);
    });
  }

  *labelNames(): IterableIterator<string> {
    for (const name of this.#view.names()) yield this.#view.nameText(name);
  }

  *labelValues(name: string): IterableIterator<string> {
    for (const pair of this.pairs(name)) yield this.#view.pairValue(pair);
  }

  *labelNamesOf(refs: Uint32Array): IterableIterator<string> {
    const view = this.#view;
    const names = new Set<number>();
    for (const ref of refs) {
      const record = view.series.record(ref);
      if (record === 0) continue;
      for (const pair of view.pairsOfSeries(record)) names.add(view.nameOf(pair));
    }
    for (const name of names) yield view.nameText(name);
  }

  *labelValuesOf(refs: Uint32Array, name: string): IterableIterator<string> {
    const wanted = this.#view.findName(name);
    const pairs = new Set<number>();
    for (const ref of refs) pairs.add(this.#pairOf(ref, wanted));
    pairs.delete(0);
    for (const pair of pairs) yield this.#view.pairValue(pair);
  }

  /** Addresses of the pairs of a name; a view. */
  pairs(name: string): Uint32Array {
    const found = this.#view.findName(name);
    return found === 0 ? NONE : this.#view.pairsOf(found);
  }

  /** The pair of a series that has the name, 0 for none. */
  #pairOf(ref: number, name: number): number {
    const view = this.#view;
    const record = view.series.record(ref);
    if (record === 0) return 0;
    for (const pair of view.pairsOfSeries(record)) if (view.nameOf(pair) === name) return pair;
    return 0;
  }
}
