import { Labels } from '../../model/index.ts';
import { LabelTree } from '../label-tree.ts';
import type { HeadView } from './head-view.ts';

/**
 * Of the labels of series those with certain names, mostly one object for all series that have the same: known by the addresses of
 * their pairs. To be used within `view.read`.
 */
export class HeadProjector {
  readonly #view: HeadView;
  readonly #names: readonly string[];
  /** Addresses of the names. */
  #wanted: ReadonlySet<number> = new Set();
  #root = new LabelTree();
  /** Of the addresses in the tree. */
  #generation = 0;
  /** False from the beginning of a section to its end: one that has to be left leaves garbage. */
  #isSound = true;

  constructor(view: HeadView, names: readonly string[]) {
    this.#view = view;
    this.#names = names;
  }

  /** First in a section. */
  begin(): void {
    const view = this.#view;
    if (!this.#isSound || this.#generation !== view.generation) this.#root = new LabelTree();
    this.#isSound = false;
    this.#generation = view.generation;
    // Each time: a name may be new.
    this.#wanted = new Set(this.#names.map((name) => view.findName(name)).filter((name) => name !== 0));
  }

  /** Behind a section: what was found in it is so. */
  keep(): void {
    this.#isSound = true;
  }

  /** @param record of a series */
  project(record: number): Labels {
    const view = this.#view;
    let node = this.#root;
    for (const pair of view.pairsOfSeries(record)) if (this.#wanted.has(view.nameOf(pair))) node = node.next(pair);
    return (node.labels ??= this.#labels(record));
  }

  #labels(record: number): Labels {
    const view = this.#view;
    const pairs: string[] = [];
    for (const pair of view.pairsOfSeries(record)) {
      const name = view.nameOf(pair);
      if (this.#wanted.has(name)) pairs.push(view.nameText(name), view.pairValue(pair));
    }
    return new Labels(pairs);
  }
}
