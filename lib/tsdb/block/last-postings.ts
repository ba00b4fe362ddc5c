/** Of all lists together, in refs: 64 kB. */
const MAX_WEIGHT = 16_384;
/** What a list takes beside its refs. */
const LIST_WEIGHT = 64;

/**
 * The postings that were read last, by their offset: dashboards and rules name the same label pairs again and again, and to check
 * and decode them takes a third of a query that reads one of 20,000 series.
 */
export class LastPostings {
  /** Those used last at the end. */
  readonly #lists = new Map<number, Uint32Array>();
  #weight = 0;

  get(offset: number): Uint32Array | undefined {
    const list = this.#lists.get(offset);
    if (list === undefined) return undefined;
    this.#lists.delete(offset);
    this.#lists.set(offset, list);
    return list;
  }

  /** One that is not there yet and will not be changed any more. */
  add(offset: number, list: Uint32Array): void {
    if (weightOf(list) > MAX_WEIGHT) return;
    this.#lists.set(offset, list);
    this.#weight += weightOf(list);
    for (const [oldest, first] of this.#lists) {
      if (this.#weight <= MAX_WEIGHT) return;
      this.#lists.delete(oldest);
      this.#weight -= weightOf(first);
    }
  }
}

function weightOf({ length }: Uint32Array): number {
  return length + LIST_WEIGHT;
}
