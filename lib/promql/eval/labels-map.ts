import type { Labels } from '../../model/index.ts';
import { HashList } from './hash-list.ts';
import { hashOfLabels } from './labels-hash.ts';

interface Entry<T> {
  readonly labels: Labels;
  readonly value: T;
  /** Of other labels with the same hash. */
  readonly next: Entry<T> | undefined;
}

/** A map by label sets, in the order of insertion; no long keys are made of the labels. */
export class LabelsMap<T> {
  readonly #hashes = new HashList();
  /** By place of the hash. */
  readonly #entries: Entry<T>[] = [];
  readonly #values: T[] = [];

  get values(): readonly T[] {
    return this.#values;
  }

  get(labels: Labels): T | undefined {
    let entry = this.#entries[this.#hashes.find(hashOfLabels(labels))];
    while (entry !== undefined && !entry.labels.equals(labels)) entry = entry.next;
    return entry?.value;
  }

  /** The value of a label set; `create` makes it when there is none. */
  ensure(labels: Labels, create: () => T): T {
    const place = this.#hashes.add(hashOfLabels(labels));
    const first = this.#entries[place];
    let entry = first;
    while (entry !== undefined && !entry.labels.equals(labels)) entry = entry.next;
    if (entry !== undefined) return entry.value;
    const value = create();
    this.#entries[place] = { labels, value, next: first };
    this.#values.push(value);
    return value;
  }
}
