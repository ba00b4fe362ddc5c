import { unionDisjoint } from '../postings.ts';
import type { PostingsSource, ValueTest, Watch } from '../select.ts';
import { HeadPostings } from './head-postings.ts';
import type { HeadView } from './head-view.ts';

/** Values or series that are looked at in one read section. */
const SECTION_SIZE = 1024;

/**
 * The index of a head that another thread writes, as selecting sees it, in many short sections: a regex over a million values
 * is matched outside of them. It is the index as it was when this was made: series that came since, whose refs are above
 * `newestRef`, are left out; those removed since may be in or out.
 */
export class SectionedPostings implements PostingsSource {
  readonly isSorted = false;
  readonly #view: HeadView;
  readonly #whole: HeadPostings;
  readonly newestRef: number;

  constructor(view: HeadView) {
    this.#view = view;
    this.#whole = new HeadPostings(view);
    this.newestRef = view.read(() => view.allSeries().at(-1) ?? 0);
  }

  allPostings(): Uint32Array {
    return this.#view.read(() => this.#then(this.#view.allSeries()));
  }

  postings(name: string, value: string): Uint32Array {
    return this.#view.read(() => this.#then(this.#whole.postings(name, value)));
  }

  valueCount(name: string): number {
    return this.#view.read(() => this.#whole.valueCount(name));
  }

  postingsWhere(name: string, { prefix, accepts }: ValueTest, { spend }: Watch): Uint32Array {
    const view = this.#view;
    const lists = this.#whileCurrent((isCurrent) => {
      const lists: Uint32Array[] = [];
      for (const { pairs, values } of this.#values(name, isCurrent)) {
        const wanted = pairs.filter((_, i) => values[i]!.startsWith(prefix) && accepts(values[i]!));
        const found = view.read(() =>
          isCurrent() ? Array.from(wanted, (pair) => this.#then(view.postings(pair))) : [],
        );
        lists.push(...found);
      }
      return lists;
    });
    return unionDisjoint(lists, spend);
  }

  filter(refs: Uint32Array, name: string, accepts: (value: string) => boolean): Uint32Array {
    const out: number[] = [];
    for (const part of parts(refs)) {
      const values = this.#view.read(() => this.#whole.valuesOf(part, name));
      for (let i = 0; i < part.length; i++) if (accepts(values[i]!)) out.push(part[i]!);
    }
    return Uint32Array.from(out);
  }

  labelNames(): string[] {
    return this.#view.read(() => [...this.#whole.labelNames()]);
  }

  labelValues(name: string): string[] {
    return this.#whileCurrent((isCurrent) => {
      const found: string[] = [];
      for (const { values } of this.#values(name, isCurrent)) found.push(...values);
      return found;
    });
  }

  labelNamesOf(refs: Uint32Array): Set<string> {
    const names = new Set<string>();
    for (const part of parts(refs)) {
      for (const name of this.#view.read(() => [...this.#whole.labelNamesOf(part)])) names.add(name);
    }
    return names;
  }

  labelValuesOf(refs: Uint32Array, name: string): Set<string> {
    const values = new Set<string>();
    for (const part of parts(refs)) {
      for (const value of this.#view.read(() => [...this.#whole.labelValuesOf(part, name)])) values.add(value);
    }
    return values;
  }

  /** Values of a label with their pairs, some at a time; ends early when the pairs are not current any more. */
  *#values(name: string, isCurrent: () => boolean): Generator<{ pairs: Uint32Array; values: string[] }> {
    const view = this.#view;
    const all = view.read(() => this.#whole.pairs(name).slice());
    for (const pairs of parts(all)) {
      const values = view.read(() => (isCurrent() ? Array.from(pairs, (pair) => view.pairValue(pair)) : undefined));
      if (values === undefined) return;
      yield { pairs, values };
    }
  }

  /** Runs `find`, and again when pairs were removed meanwhile: their addresses may stand for others then. */
  #whileCurrent<T>(find: (isCurrent: () => boolean) => T): T {
    const view = this.#view;
    for (;;) {
      const generation = view.read(() => view.generation);
      const found = find(() => view.generation === generation);
      if (view.read(() => view.generation) === generation) return found;
    }
  }

  /** A copy of a list without the series that came since. */
  #then(list: Uint32Array): Uint32Array {
    let { length } = list;
    while (length > 0 && list[length - 1]! > this.newestRef) length--;
    return list.slice(0, length);
  }
}

function* parts(list: Uint32Array): Generator<Uint32Array> {
  for (let from = 0; from < list.length; from += SECTION_SIZE) yield list.subarray(from, from + SECTION_SIZE);
}
