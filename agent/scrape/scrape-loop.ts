import type { ScrapeConfig } from '../../lib/config/index.ts';
import type { Logger, Timer } from '../../lib/env/index.ts';
import { errorMessage, LabelsBuilder, METRIC_NAME, PromletError, STALE_NAN } from '../../lib/model/index.ts';
import { type Appender, AppendResult, type SeriesRef } from '../../lib/storage/index.ts';
import { REJECTION_LOG_INTERVAL_MS, SLOT_TOLERANCE_MS } from './limits.ts';
import type { PageBuffer } from './page-buffer.ts';
import type { PageMetadata } from './page-metadata.ts';
import { isSeriesLimit, PageReading, type ReadingContext } from './page-reading.ts';
import { ScrapeCache } from './scrape-cache.ts';
import { type Schedule, scheduleOf } from './schedule.ts';
import type { ScrapeStats } from './scrape-stats.ts';
import { Scraper, type ScraperContext } from './scraper.ts';
import { requireHttp, type Target } from './target.ts';

export interface LoopContext extends ReadingContext {
  readonly logger: Logger;
  readonly stats: ScrapeStats;
  readonly scraper: ScraperContext;
  readonly offsetSeed: string;
}

export interface TargetState {
  readonly health: 'unknown' | 'up' | 'down';
  readonly lastError: string;
  /** Start of the last scrape, ms since the epoch; undefined before the first. */
  readonly lastScrapeMs: number | undefined;
  readonly lastScrapeDurationMs: number;
}

/** In the order of `#report`. */
const REPORT_METRICS = [
  'up',
  'scrape_duration_seconds',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
] as const;

/** Scrapes one target, again and again (Prometheus `scrapeLoop`). */
export class ScrapeLoop {
  readonly target: Target;
  readonly #context: LoopContext;
  readonly #logger: Logger;
  readonly #cache: ScrapeCache;
  readonly #times: Schedule;
  #config: ScrapeConfig;
  #scraper: Scraper;
  /** Set by `reconfigure`, taken over before the next scrape. */
  #nextConfig: ScrapeConfig | undefined;
  #state: TargetState = { health: 'unknown', lastError: '', lastScrapeMs: undefined, lastScrapeDurationMs: 0 };
  #timer: Timer | undefined;
  /** Monotonic ms of the last start; undefined before the first. */
  #lastStartMs: number | undefined;
  #stopped = false;
  /** The cache is in use by a reading that may be paused. */
  #reading = false;
  #reportRefs: SeriesRef[] = [];
  #lastRejectionLogMs = -Infinity;
  /** Set while the target may not be scraped at all (target_limit). */
  forcedError: PromletError | undefined = undefined;

  constructor(target: Target, config: ScrapeConfig, context: LoopContext) {
    this.target = target;
    this.#config = config;
    this.#context = context;
    this.#logger = context.logger.child({ target: target.url.href });
    this.#cache = new ScrapeCache(context.scratch);
    this.#times = scheduleOf(target, context.offsetSeed);
    this.#scraper = new Scraper(context.scraper, target, config);
  }

  /** What the pages said of their metrics. */
  get metadata(): PageMetadata {
    return this.#cache.metadata;
  }

  get state(): TargetState {
    return this.#state;
  }

  /** The first scrape comes at once, spread a little over all targets; the next at the target's own offset. */
  start(): void {
    this.#schedule(this.#context.clock.now() + this.#times.firstDelayMs);
  }

  reconfigure(config: ScrapeConfig): void {
    this.#nextConfig = config;
  }

  /**
   * Ends scraping. The series get stale markers at the time the next scrape would have been, written two intervals
   * later: a target that came back by then has newer samples, and storage refuses the markers.
   */
  stop(): void {
    this.#end();
    const { clock } = this.#context;
    const { intervalMs } = this.target;
    if (this.#state.lastScrapeMs === undefined) {
      this.#closeCache();
      return;
    }
    const staleMs = this.#nextSlotMs();
    this.#timer = clock.setTimer(
      () => {
        this.#writeEndOfRun(staleMs).catch((error: unknown) => {
          this.#logger.warn({ error: errorMessage(error) }, 'stale markers of a removed target were not written');
        });
      },
      staleMs - clock.now() + intervalMs + intervalMs / 10,
    );
  }

  /** Ends scraping without stale markers: the whole agent shuts down and will go on where it was. */
  abandon(): void {
    this.#end();
    this.#closeCache();
  }

  /** Unless a reading is paused: that closes it when it goes on. */
  #closeCache(): void {
    if (!this.#reading) this.#cache.close();
  }

  #end(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#scraper.close();
  }

  #schedule(slotMs: number): void {
    const { clock } = this.#context;
    this.#timer = clock.setTimer(
      () => {
        this.#run(slotMs).catch((error: unknown) => {
          this.#logger.error({ error: errorMessage(error) }, 'scrape commit failed');
        });
      },
      Math.max(0, slotMs - clock.now()),
    );
  }

  /** The first time after now that is the target's offset into an interval; timers may fire a little early. */
  #nextSlotMs(): number {
    const { intervalMs } = this.target;
    const { offsetMs } = this.#times;
    const sinceOffsetMs = this.#context.clock.now() + SLOT_TOLERANCE_MS - offsetMs;
    return (Math.floor(sinceOffsetMs / intervalMs) + 1) * intervalMs + offsetMs;
  }

  async #run(slotMs: number): Promise<void> {
    const { clock } = this.#context;
    const nowMs = clock.now();
    const toleranceMs = Math.min(SLOT_TOLERANCE_MS, this.target.intervalMs / 100);
    try {
      this.#takeNextConfig();
      await this.#scrapeOnce(Math.abs(nowMs - slotMs) <= toleranceMs ? slotMs : nowMs);
    } finally {
      if (!this.#stopped) this.#schedule(this.#nextSlotMs());
    }
  }

  #takeNextConfig(): void {
    const next = this.#nextConfig;
    if (next === undefined) return;
    this.#nextConfig = undefined;
    if (labelsKey(next) !== labelsKey(this.#config)) this.#cache.outdate();
    this.#config = next;
    this.#scraper.close();
    this.#scraper = new Scraper(this.#context.scraper, this.target, next);
  }

  async #scrapeOnce(timestampMs: number): Promise<void> {
    const { clock, appendable, stats } = this.#context;
    const startedMs = clock.monotonicMs();
    if (this.#lastStartMs !== undefined) stats.observeInterval(this.target.intervalMs, startedMs - this.#lastStartMs);
    this.#lastStartMs = startedMs;
    let page: PageBuffer | undefined;
    let failure: PromletError | undefined = this.forcedError;
    try {
      if (failure === undefined) {
        requireHttp(this.target);
        page = await this.#scraper.scrape();
      }
    } catch (error) {
      failure = asPromletError(error);
    }
    const reading = new PageReading(this.target, this.#config, this.#context, timestampMs);
    let stale: SeriesRef[] | undefined;
    try {
      // Without its line feed the page of a failed or empty scrape is empty: all series are gone.
      if (!this.#stopped && page !== undefined && page.length > 1) stale = await this.#read(reading, page);
    } catch (error) {
      failure = asPromletError(error);
    } finally {
      page?.release();
    }
    if (this.#stopped) {
      reading.appender?.rollback();
      return;
    }
    const appender = reading.appender ?? appendable.appender();
    stale ??= this.#cache.reject();
    for (const ref of stale) appender.append(ref, timestampMs, STALE_NAN);
    const durationMs = clock.monotonicMs() - startedMs;
    const { scraped, kept, added } = reading.counts;
    if (failure !== undefined) stats.countFailure(failure.code);
    this.#state = {
      health: failure === undefined ? 'up' : 'down',
      lastError: failure?.message ?? reading.warning,
      lastScrapeMs: timestampMs,
      lastScrapeDurationMs: durationMs,
    };
    this.#report(appender, timestampMs, [failure === undefined ? 1 : 0, durationMs / 1000, scraped, kept, added]);
    this.#takeRejections(reading);
    await appender.commit();
  }

  /**
   * Reads the page into `reading.appender`, which is undefined again when that fails.
   * @returns the series that the page lacks; undefined when the loop was stopped meanwhile
   * @throws PromletError as `PageReading.read`
   */
  async #read(reading: PageReading, page: PageBuffer): Promise<SeriesRef[] | undefined> {
    const { scratch } = this.#context;
    await scratch.acquire();
    try {
      this.#reading = true;
      const complete = !this.#stopped && (await reading.read(this.#cache, page, () => this.#stopped));
      return complete ? this.#cache.accept() : undefined;
    } finally {
      this.#reading = false;
      scratch.release();
      // A removed target's series are needed for their stale markers; those of one that was never read are not.
      if (this.#stopped && this.#timer === undefined) this.#cache.close();
    }
  }

  #report(appender: Appender, timestampMs: number, values: readonly number[]): void {
    values.forEach((value, i) => {
      let ref = this.#reportRefs[i];
      if (ref !== undefined && appender.append(ref, timestampMs, value) !== AppendResult.unknownRef) return;
      try {
        ref = appender.series(new LabelsBuilder(this.target.labels).set(METRIC_NAME, REPORT_METRICS[i]!).labels());
      } catch (error) {
        if (!isSeriesLimit(error)) throw error;
        this.#logger.warn({ error: errorMessage(error) }, 'appending scrape report failed');
        return;
      }
      this.#reportRefs[i] = ref;
      appender.append(ref, timestampMs, value);
    });
  }

  async #writeEndOfRun(staleMs: number): Promise<void> {
    const appender = this.#context.appendable.appender();
    const refs = [...this.#cache.reject(), ...this.#reportRefs.filter((ref) => ref !== undefined)];
    for (const ref of refs) appender.append(ref, staleMs, STALE_NAN);
    this.#cache.close();
    await appender.commit();
  }

  #takeRejections(reading: PageReading): void {
    const { outOfOrder, duplicates, outOfBounds, refused } = reading;
    if (outOfOrder + duplicates + outOfBounds + refused === 0) return;
    const { stats, clock } = this.#context;
    stats.samplesOutOfOrder += outOfOrder;
    stats.samplesDuplicate += duplicates;
    stats.samplesOutOfBounds += outOfBounds;
    stats.seriesRefused += refused;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lastRejectionLogMs < REJECTION_LOG_INTERVAL_MS) return;
    this.#lastRejectionLogMs = nowMs;
    this.#logger.warn({ outOfOrder, duplicates, outOfBounds, refused }, 'samples of a scrape were dropped');
  }
}

/** @throws what is no PromletError: a bug */
function asPromletError(error: unknown): PromletError {
  if (error instanceof PromletError) return error;
  throw error;
}

/** Equal for configurations that store the same line under the same labels. */
function labelsKey(config: ScrapeConfig): string {
  return JSON.stringify([
    config.honor_labels,
    config.metric_relabel_configs,
    config.metric_name_validation_scheme,
    config.label_limit,
    config.label_name_length_limit,
    config.label_value_length_limit,
  ]);
}
