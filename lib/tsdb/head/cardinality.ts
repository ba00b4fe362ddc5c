import { METRIC_NAME } from '../../model/index.ts';
import type { Cardinality, NamedCount } from '../types.ts';
import type { HeadView } from './head-view.ts';

/** What takes the most series and label memory (index.PostingsStats of Prometheus), for `/api/v1/status/tsdb`. */
export function cardinality(view: HeadView, limit: number): Cardinality {
  const metrics = new Largest(limit);
  const values = new Largest(limit);
  const memory = new Largest(limit);
  const pairs = new Largest(limit);
  for (const address of view.names()) {
    const name = view.nameText(address);
    const own = view.pairsOf(address);
    let sizeBytes = 0;
    for (const pair of own) {
      const series = view.postings(pair).length;
      sizeBytes += view.valueBytes(pair) * series;
      if (name === METRIC_NAME) metrics.add(series, () => view.pairValue(pair));
      pairs.add(series, () => `${name}=${view.pairValue(pair)}`);
    }
    values.add(own.length, () => name);
    memory.add(sizeBytes, () => name);
  }
  return {
    seriesCountByMetricName: metrics.sorted,
    labelValueCountByLabelName: values.sorted,
    memoryInBytesByLabelName: memory.sorted,
    seriesCountByLabelValuePair: pairs.sorted,
  };
}

/** The largest counts of many; names are made only of those. */
class Largest {
  readonly #limit: number;
  /** Descending. */
  readonly sorted: NamedCount[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(value: number, name: () => string): void {
    const { sorted } = this;
    if (sorted.length === this.#limit && (sorted.at(-1)?.value ?? Infinity) >= value) return;
    let at = sorted.length;
    while (at > 0 && sorted[at - 1]!.value < value) at--;
    sorted.splice(at, 0, { name: name(), value });
    if (sorted.length > this.#limit) sorted.pop();
  }
}
