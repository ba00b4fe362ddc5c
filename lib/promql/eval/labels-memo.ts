import type { Labels } from '../../model/index.ts';

/** More would be label sets of single series, which do not come again. */
const MAX_ENTRIES = 1024;

/** What was found for label sets: storage that knows a projection hands out one object for all series that have the same. */
export class LabelsMemo<T> {
  readonly #known = new Map<Labels, T>();
  readonly #find: (labels: Labels) => T;

  constructor(find: (labels: Labels) => T) {
    this.#find = find;
  }

  get(labels: Labels): T {
    let found = this.#known.get(labels);
    if (found === undefined) {
      found = this.#find(labels);
      if (this.#known.size < MAX_ENTRIES) this.#known.set(labels, found);
    }
    return found;
  }
}
