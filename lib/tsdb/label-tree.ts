import type { Labels } from '../model/index.ts';

/** Label sets by the ids of what they consist of, in order: a node stands for those that were stepped over. */
export class LabelTree {
  labels: Labels | undefined;
  readonly #next = new Map<number, LabelTree>();

  next(id: number): LabelTree {
    let node = this.#next.get(id);
    if (node === undefined) this.#next.set(id, (node = new LabelTree()));
    return node;
  }
}
