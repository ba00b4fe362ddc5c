/** Limits of the scrape room (see RELIABILITY: limits). Those of `ScrapeLimits` can be set; 0 is "none". */
export interface ScrapeLimits {
  /** Body after decompression; `body_size_limit` goes first. */
  readonly bodySizeBytes: number;
  /** `sample_limit` goes first. */
  readonly samplesPerScrape: number;
  /** `target_limit` goes first. */
  readonly targetsPerJob: number;
  /** Of a stored series; `label_limit` goes first. */
  readonly labelsPerSeries: number;
  /** `label_name_length_limit` goes first. */
  readonly labelNameBytes: number;
  /** `label_value_length_limit` goes first. */
  readonly labelValueBytes: number;
}

export const DEFAULT_LIMITS: ScrapeLimits = {
  bodySizeBytes: 16 * 1024 * 1024,
  samplesPerScrape: 50_000,
  targetsPerJob: 2_000,
  labelsPerSeries: 40,
  labelNameBytes: 256,
  labelValueBytes: 4_096,
};

/** Status line and headers of an answer, bytes. */
export const MAX_HEADER_BYTES = 16 * 1024;
/** Longest line that announces a chunk, bytes. */
export const MAX_CHUNK_LINE_BYTES = 256;
/** Redirects followed, as Go's client does. */
export const MAX_REDIRECTS = 10;
/** Longest line of a page, bytes; the scan kernel's records hold 28 bits. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024;
/** Labels of one exposed sample, before relabelling and `label_limit`. */
export const MAX_LABELS = 10_000;
/** Input quoted in a parse error, bytes. */
export const MAX_QUOTED_BYTES = 160;
/** A scrape this close to its slot gets the slot's timestamp, which compresses better (Prometheus: 2 ms). */
export const SLOT_TOLERANCE_MS = 2;
/** One target's repeated complaints about rejected samples are logged this often. */
export const REJECTION_LOG_INTERVAL_MS = 10 * 60_000;
/** Lines of a page that are parsed (not just recognised by the kernel) are read in slices of this time, ms. */
export const READ_SLICE_MS = 5;
/** The clock is asked once in this many parsed lines: a new series takes about 10 µs warm, 50 µs cold. */
export const LINES_PER_CLOCK_READ = 32;
/** Lines that failing pages may add to a cache beyond twice the last good page (Prometheus `scrapeCache.iterDone`). */
export const MAX_LINES_OF_FAILED_PAGES = 1_000;

/** Metrics of one target whose metadata is kept; characters of a help text; texts that targets share. */
export const MAX_METRICS_WITH_METADATA = 5_000;
export const MAX_METADATA_LENGTH = 1_024;
export const MAX_SHARED_TEXTS = 20_000;
