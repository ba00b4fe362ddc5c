import { IdHash } from '../id-hash.ts';
import type { HeadView } from './head-view.ts';

/**
 * Hashes of the labels of series but for those with certain names, by the addresses of their pairs, which stay as long as a
 * series has them. To be used within `view.read`.
 */
export class HeadLabelHasher {
  readonly #view: HeadView;
  readonly #names: ReadonlySet<string>;
  /** Addresses of the names. */
  #leftOut: readonly number[] = [];
  readonly #hash = new IdHash();

  constructor(view: HeadView, names: ReadonlySet<string>) {
    this.#view = view;
    this.#names = names;
  }

  /** First in a section: a name may be new. */
  begin(): void {
    this.#leftOut = Array.from(this.#names, (name) => this.#view.findName(name));
  }

  /** @param record of a series */
  hash(record: number): number {
    const view = this.#view;
    const hash = this.#hash;
    hash.begin();
    for (const pair of view.pairsOfSeries(record)) if (!this.#leftOut.includes(view.nameOf(pair))) hash.add(pair);
    return hash.value;
  }
}
