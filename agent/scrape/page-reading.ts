import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ScrapeConfig } from '../../lib/config/index.ts';
import type { Clock } from '../../lib/env/index.ts';
import { type Labels, PromletError } from '../../lib/model/index.ts';
import { type Appendable, type Appender, AppendResult, type SeriesRef } from '../../lib/storage/index.ts';
import type { ExpositionParser } from './exposition.ts';
import { READ_SLICE_MS, type ScrapeLimits } from './limits.ts';
import type { PageBuffer } from './page-buffer.ts';
import { storedLabels } from './sample-labels.ts';
import type { ScanScratch } from './scan-scratch.ts';
import type { PageCounts, PageOptions, PageSink, ScrapeCache } from './scrape-cache.ts';
import type { Target } from './target.ts';

export interface ReadingContext {
  readonly appendable: Appendable;
  readonly clock: Clock;
  readonly limits: ScrapeLimits;
  readonly scratch: ScanScratch;
}

const NO_NAMES: ReadonlySet<string> = new Set();

/** One page on its way into storage. */
export class PageReading implements PageSink {
  readonly #target: Target;
  readonly #config: ScrapeConfig;
  readonly #context: ReadingContext;
  readonly #limit: number;
  readonly #timestampMs: number;
  /** Holds the samples of a page that was read; set while reading and after it succeeded. */
  appender: Appender | undefined = undefined;
  #timestamped = 0;
  counts: PageCounts = { scraped: 0, kept: 0, added: 0, duplicates: 0 };
  outOfOrder = 0;
  duplicates = 0;
  outOfBounds = 0;
  /** New series that storage did not take. */
  refused = 0;

  constructor(target: Target, config: ScrapeConfig, context: ReadingContext, timestampMs: number) {
    this.#target = target;
    this.#config = config;
    this.#context = context;
    this.#limit = config.sample_limit || context.limits.samplesPerScrape;
    this.#timestampMs = timestampMs;
  }

  /** What an answer that counts as up should still say. */
  get warning(): string {
    return this.refused === 0 ? '' : `${this.refused} new series refused: the limit of series is reached`;
  }

  /**
   * Appends the page's samples, in slices: other work of the thread goes on between them.
   * @param cancelled asked behind each pause
   * @returns false when it was cancelled
   * @throws PromletError `scrape/parse`, `scrape/sample-limit`, `scrape/label-limit`, …; nothing is left in `appender` then
   */
  async read(cache: ScrapeCache, page: PageBuffer, cancelled: () => boolean): Promise<boolean> {
    try {
      let forgotten = await this.#readOnce(cache, page, cancelled);
      if (forgotten !== undefined && forgotten.size > 0) {
        // Storage had forgotten series: all is read again, those lines as new ones.
        this.appender?.rollback();
        cache.forget(forgotten);
        forgotten = await this.#readOnce(cache, page, cancelled);
      }
      return forgotten !== undefined;
    } catch (error) {
      this.appender?.rollback();
      this.appender = undefined;
      throw error;
    }
  }

  /** @returns refs that storage no longer knows; undefined when it was cancelled */
  async #readOnce(cache: ScrapeCache, page: PageBuffer, cancelled: () => boolean): Promise<Set<SeriesRef> | undefined> {
    const { clock, appendable } = this.#context;
    const options: PageOptions = {
      honorTimestamps: this.#config.honor_timestamps,
      trackTimestampsStaleness: this.#config.track_timestamps_staleness,
    };
    this.appender = appendable.appender();
    this.#timestamped = 0;
    this.outOfOrder = this.outOfBounds = this.refused = 0;
    cache.begin(page.address, page.length);
    let forgotten: Set<SeriesRef>;
    try {
      let sliceEndMs = clock.monotonicMs() + READ_SLICE_MS;
      const expired = (): boolean => clock.monotonicMs() >= sliceEndMs;
      while (!cache.read(options, this, expired)) {
        await nextTurn();
        if (cancelled()) return undefined;
        sliceEndMs = clock.monotonicMs() + READ_SLICE_MS;
      }
    } finally {
      this.duplicates = cache.counts.duplicates;
      // Of a page that fails, too: what storage refuses counts as refused, and its line not as added.
      forgotten = this.#appendColumns(this.appender, cache);
      this.counts = cache.counts;
    }
    if (this.#limit > 0 && this.counts.kept - cache.counts.duplicates > this.#limit) {
      throw new PromletError('scrape/sample-limit', 'sample limit exceeded');
    }
    return forgotten;
  }

  /** With `honor_labels` a label that is exposed as empty removes the target's. */
  #targetLabels(parser: ExpositionParser): Labels {
    const { labels } = this.#target;
    const emptied = this.#config.honor_labels ? parser.emptyLabelNames() : NO_NAMES;
    return emptied.size === 0 ? labels : labels.without(emptied);
  }

  resolve(parser: ExpositionParser): SeriesRef | undefined {
    const { limits, scratch } = this.#context;
    const labels = storedLabels(parser.labels(), this.#targetLabels(parser), this.#config, limits);
    if (labels === undefined) return 0;
    if (this.#limit > 0 && scratch.count + this.#timestamped >= this.#limit) return undefined;
    try {
      return this.appender!.series(labels);
    } catch (error) {
      if (!isSeriesLimit(error)) throw error;
      this.refused++;
      return undefined;
    }
  }

  timestamped(ref: SeriesRef, timestampMs: number, value: number): boolean {
    this.#timestamped++;
    const result = this.appender!.append(ref, timestampMs, value);
    this.#count(result);
    return result === AppendResult.ok;
  }

  /** @returns refs that storage no longer knows */
  #appendColumns(appender: Appender, cache: ScrapeCache): Set<SeriesRef> {
    const forgotten = new Set<SeriesRef>();
    const { scratch } = this.#context;
    const { count, refColumn, valueColumn, results } = scratch;
    if (appender.appendColumns(refColumn, valueColumn, count, this.#timestampMs, results) === 0) return forgotten;
    for (let i = 0; i < count; i++) {
      if (results[i] === AppendResult.unknownRef) forgotten.add(refColumn[i]!);
      else this.#count(results[i] as AppendResult);
    }
    cache.refuse((column) => results[column] !== AppendResult.ok);
    return forgotten;
  }

  #count(result: AppendResult): void {
    switch (result) {
      case AppendResult.outOfOrder:
        this.outOfOrder++;
        break;
      case AppendResult.duplicate:
        this.duplicates++;
        break;
      case AppendResult.tooOld:
      case AppendResult.tooFarAhead:
        this.outOfBounds++;
        break;
      case AppendResult.ok:
      case AppendResult.unknownRef:
        break;
    }
  }
}

/** Storage takes no new series; known ones go on. */
export function isSeriesLimit(error: unknown): boolean {
  return error instanceof PromletError && error.code === 'storage/series-limit';
}
