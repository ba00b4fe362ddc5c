/** Every bound of this room in one place. */

/** Longest query text, UTF-8 bytes. */
export const MAX_QUERY_BYTES = 16 * 1024;
/** Deepest nesting of an expression; each level costs a few frames of the stack while parsing, checking, evaluating. */
export const MAX_NESTING_DEPTH = 512;
/** Samples one query may hold at a time, as Prometheus counts them (`--query.max-samples`). */
export const DEFAULT_MAX_SAMPLES = 50_000_000;
/** Memory one query may take at a time, as the engine estimates it (`--query.max-bytes`). */
export const DEFAULT_MAX_QUERY_MEMORY_BYTES = 256 * 1024 * 1024;
/** Memory that all queries of an agent may take together, likewise (`--query.max-total-bytes`). */
export const DEFAULT_MAX_TOTAL_QUERY_MEMORY_BYTES = 256 * 1024 * 1024;
export const DEFAULT_LOOKBACK_DELTA_MS = 5 * 60_000;
export const DEFAULT_TIMEOUT_MS = 30_000;
/** Resolution of a subquery without a step: Prometheus takes the global evaluation interval. */
export const DEFAULT_SUBQUERY_STEP_MS = 60_000;
/** Longest stretch of work without giving the event loop a turn. */
export const MAX_BLOCKING_MS = 8;
/** Work units (about one sample touched) between two looks at the clock. */
export const WORK_PER_CLOCK_CHECK = 16_384;
/** Joining the strings of a label set costs about as much as this many samples. */
export const WORK_PER_LABEL_SET = 256;
/** Adding a native histogram costs about as much as this many samples. */
export const WORK_PER_HISTOGRAM = 16;
