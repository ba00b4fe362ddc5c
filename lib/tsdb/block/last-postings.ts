/** Of all lists and the texts of their pairs together, in refs: 64 kB. */
const MAX_WEIGHT = 16_384;
/** What a list takes beside its refs. */
const LIST_WEIGHT = 64;
/** Of a pair's text: two bytes each at the most. */
const CHARACTERS_PER_REF = 2;

/**
 * The postings that were read last, by the text of their pair: dashboards and rules name the same label pairs again and again, and
 * to find, check and decode them takes a third of a query that reads one of 20,000 series.
 */
export class LastPostings {
  /** Those used last at the end. */
  readonly #lists = new Map<string, Uint32Array>();
  #weight = 0;

  get(pair: string): Uint32Array | undefined {
    const list = this.#lists.get(pair);
    if (list === undefined) return undefined;
    this.#lists.delete(pair);
    this.#lists.set(pair, list);
    return list;
  }

  /** One that is not there yet and will not be changed any more. */
  add(pair: string, list: Uint32Array): void {
    const weight = weightOf(pair, list);
    if (weight > MAX_WEIGHT) return;
    this.#lists.set(pair, list);
    this.#weight += weight;
    for (const [oldest, first] of this.#lists) {
      if (this.#weight <= MAX_WEIGHT) return;
      this.#lists.delete(oldest);
      this.#weight -= weightOf(oldest, first);
    }
  }
}

function weightOf(pair: string, { length }: Uint32Array): number {
  return length + LIST_WEIGHT + pair.length / CHARACTERS_PER_REF;
}
