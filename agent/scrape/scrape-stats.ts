import { formatDuration } from '../../lib/model/index.ts';

/** Interval lengths remembered per configured interval: enough for a 99th percentile, 8 KiB each. */
const LENGTHS_KEPT = 1_024;

/** Counts of all scrape pools since the start, under the names of Prometheus's metrics (`scrape/metrics.go`). */
export class ScrapeStats {
  poolsCreated = 0;
  samplesOutOfOrder = 0;
  samplesDuplicate = 0;
  samplesOutOfBounds = 0;
  /** Series that storage refused because it is full. */
  seriesRefused = 0;
  exceededBodySizeLimit = 0;
  exceededSampleLimit = 0;
  exceededLabelLimits = 0;
  exceededTargetLimit = 0;
  readonly #intervals = new Map<number, IntervalLengths>();

  /** Two scrapes of one target started `lengthMs` apart, where `intervalMs` is configured. */
  observeInterval(intervalMs: number, lengthMs: number): void {
    let lengths = this.#intervals.get(intervalMs);
    if (lengths === undefined) this.#intervals.set(intervalMs, (lengths = new IntervalLengths(intervalMs)));
    lengths.observe(lengthMs);
  }

  /** A scrape failed with this PromletError code. */
  countFailure(code: string): void {
    if (code === 'scrape/body-size-limit') this.exceededBodySizeLimit++;
    else if (code === 'scrape/sample-limit') this.exceededSampleLimit++;
    else if (code === 'scrape/label-limit') this.exceededLabelLimits++;
  }

  get intervals(): Iterable<IntervalLengths> {
    return this.#intervals.values();
  }
}

/** The summary `prometheus_target_interval_length_seconds` of one configured interval, over the last scrapes. */
export class IntervalLengths {
  /** `15s`. */
  readonly interval: string;
  readonly #lengthsMs = new Float64Array(LENGTHS_KEPT);
  count = 0;
  sumMs = 0;

  constructor(intervalMs: number) {
    this.interval = formatDuration(intervalMs);
  }

  observe(lengthMs: number): void {
    this.#lengthsMs[this.count % LENGTHS_KEPT] = lengthMs;
    this.count++;
    this.sumMs += lengthMs;
  }

  /** @returns ms, one for each of `quantiles` (0 to 1): the nearest rank; NaN before the first length */
  quantilesMs(quantiles: readonly number[]): number[] {
    const sorted = this.#lengthsMs.slice(0, Math.min(this.count, LENGTHS_KEPT)).sort();
    return quantiles.map((quantile) => sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? NaN);
  }
}
