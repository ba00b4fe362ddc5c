import type { Matcher } from '../model/index.ts';
import type { LabelAnswer, LabelHints, Querier, SelectHints, SeriesSet } from '../storage/index.ts';

/** A querier over head and blocks, which stay until it is closed. */
export class DbQuerier implements Querier {
  readonly #merged: Querier;
  #release: (() => void) | undefined;

  constructor(merged: Querier, release: () => void) {
    this.#merged = merged;
    this.#release = release;
  }

  select(sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<SeriesSet> {
    return this.#merged.select(sorted, hints, matchers);
  }

  labelNames(hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    return this.#merged.labelNames(hints, matchers);
  }

  labelValues(name: string, hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    return this.#merged.labelValues(name, hints, matchers);
  }

  close(): void {
    const release = this.#release;
    if (release === undefined) return;
    this.#release = undefined;
    this.#merged.close();
    release();
  }
}
