import type { EndedQuery, QueryObserver } from '../lib/api/index.ts';
import type { QueryLog } from './query-log.ts';

/** Parts of a query, as Prometheus's metrics name them. */
export const QUERY_SLICES = ['queue_time', 'prepare_time', 'inner_eval', 'result_sort'] as const;
export type QuerySlice = (typeof QUERY_SLICES)[number];

/** How long the newest queries took; older ones count in the sum and the count only. */
const KEPT = 512;

/** Upper bounds of the buckets of Prometheus's histogram, seconds; one more has all. */
export const BUCKET_BOUNDS = [0.01, 0.1, 1, 10] as const;

/** Times of one part of queries. */
export class SliceTimes {
  readonly #newest = new Float64Array(KEPT);
  /** By the index of the least bound that is not below. */
  readonly #buckets = new Float64Array(BUCKET_BOUNDS.length + 1);
  count = 0;
  sumSeconds = 0;

  add(seconds: number): void {
    this.#newest[this.count % KEPT] = seconds;
    const bucket = BUCKET_BOUNDS.findIndex((bound) => seconds <= bound);
    this.#buckets[bucket < 0 ? BUCKET_BOUNDS.length : bucket]!++;
    this.count++;
    this.sumSeconds += seconds;
  }

  /** How many were no longer than each of `BUCKET_BOUNDS`. */
  get atMost(): number[] {
    let sum = 0;
    return BUCKET_BOUNDS.map((_, i) => (sum += this.#buckets[i]!));
  }

  /** Of the newest queries; NaN without any. */
  quantiles(quantiles: readonly number[]): number[] {
    const sorted = this.#newest.slice(0, Math.min(this.count, KEPT)).sort();
    return quantiles.map(
      (quantile) => sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))] ?? NaN,
    );
  }
}

/** Keeps count of all queries and writes the query log. */
export class QueryMonitor implements QueryObserver {
  readonly log: QueryLog;
  readonly slices: Readonly<Record<QuerySlice, SliceTimes>> = {
    queue_time: new SliceTimes(),
    prepare_time: new SliceTimes(),
    inner_eval: new SliceTimes(),
    result_sort: new SliceTimes(),
  };
  /** Queries that run or wait. */
  current = 0;
  /** Samples that queries read from storage, each once. */
  samples = 0;

  constructor(log: QueryLog) {
    this.log = log;
  }

  get countsSamples(): boolean {
    return this.log.isOpen;
  }

  onBegin(): void {
    this.current++;
  }

  onEnd(query: EndedQuery | undefined): void {
    this.current--;
    if (query === undefined) return;
    const { timings } = query.stats;
    this.slices.queue_time.add(timings.execQueueTime);
    this.slices.prepare_time.add(timings.queryPreparationTime);
    this.slices.inner_eval.add(timings.innerEvalTime);
    this.slices.result_sort.add(timings.resultSortTime);
    this.samples += query.loadedSamples;
    this.log.write(query);
  }
}
