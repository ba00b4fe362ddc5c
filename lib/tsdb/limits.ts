import { assert } from '../model/index.ts';
import type { TsdbLimits } from './types.ts';

export const DEFAULT_LIMITS: TsdbLimits = { maxSeries: 0, maxFutureMs: 10 * 60_000, headMemoryBytes: 1 << 30 };
export const DEFAULT_BLOCK_DURATION_MS = 2 * 3_600_000;
export const DEFAULT_FSYNC_INTERVAL_MS = 5_000;

/** Times that a float64 holds exactly; kernels take them as doubles. */
export const MAX_TIME_MS = Number.MAX_SAFE_INTEGER;

/** Samples in one WAL record; a larger commit becomes several. Bounds the buffers of encoding and replay. */
export const MAX_RECORD_SAMPLES = 65_536;
/** Bytes of one WAL record, uncompressed; a larger one is taken for damage. */
export const MAX_RECORD_BYTES = 32 << 20;
export const REPLAY_LOG_INTERVAL_MS = 5_000;
/** Series of a selection that are handed out at a time. */
export const SELECT_BATCH_SIZE = 512;
/** Buckets of a histogram, and its spans and custom bounds: keeps a chunk of them below what CHUNK_LENGTH can state. */
export const MAX_HISTOGRAM_BUCKETS = 50_000;

assert(MAX_RECORD_SAMPLES * 23 + 17 <= MAX_RECORD_BYTES, 'limits: a full samples record must fit');
