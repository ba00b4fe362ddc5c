import { type Kernels, layout, type SharedArena } from '../../kernels/index.ts';
import type { FloatHistogram } from '../../model/index.ts';
import { AppendResult, type SeriesRef } from '../../storage/index.ts';
import { type CutReason, Encoding, HistogramChunkAppender, HistogramScratch } from '../../chunk/index.ts';
import { sameHistogram } from './histogram-rules.ts';
import type { SeriesTable } from './series-table.ts';

const {
  LAST_VALUE_HISTOGRAM_HIGH,
  LAST_VALUE_HISTOGRAM_LOW,
  OPEN_CHUNK_ENCODING,
  SERIES_CHUNK,
  SERIES_CHUNK_BITS,
  SERIES_CHUNK_CAPACITY,
  SERIES_CHUNK_MIN_TIME,
  SERIES_CHUNK_SAMPLES,
  SERIES_LAST_TIME,
  SERIES_LAST_VALUE,
  SERIES_LEADING,
  SERIES_NEXT_AT,
} = layout;

/** Bytes that a chunk of histograms aims for (`TargetBytesPerHistogramChunk` of tsdb/chunkenc). */
const TARGET_BYTES = 1024;
/** Samples it has at least, unless the block's range ends before. */
const MIN_SAMPLES = 10;
const TWO_32 = 2 ** 32;

/** What a series of histograms needs besides its record. */
interface HistogramState {
  readonly appender: HistogramChunkAppender;
  /** Newest sample. */
  last: FloatHistogram;
  /** Whether the end of the open chunk was estimated; stays when a sample was refused, as in Prometheus. */
  estimated: boolean;
}

/**
 * The series of the head whose newest sample is a native histogram: appends to their chunks and cuts these where Prometheus
 * does (`histogramsAppendPreprocessor`, `appendHistogram` of tsdb/head_append.go).
 */
export class HistogramSeries {
  readonly #arena: SharedArena;
  readonly #table: SeriesTable;
  readonly #blockDurationMs: number;
  readonly #scratch: HistogramScratch;
  readonly #states = new Map<SeriesRef, HistogramState>();

  constructor(kernels: Kernels, table: SeriesTable, blockDurationMs: number) {
    this.#arena = kernels.arena;
    this.#table = table;
    this.#blockDurationMs = blockDurationMs;
    this.#scratch = new HistogramScratch(kernels);
  }

  /** Whether a sample may be appended in order (`appendableHistogram`): its time against the newest of its series. */
  check(ref: SeriesRef, record: number, timeMs: number, histogram: FloatHistogram): AppendResult {
    const lastMs = this.#table.lastTimeMs(record);
    if (timeMs > lastMs) return AppendResult.ok;
    if (timeMs < lastMs) return AppendResult.outOfOrder;
    const last = this.#isHistogram(record) ? this.#states.get(ref)?.last : undefined;
    return last !== undefined && sameHistogram(last, histogram) ? AppendResult.ok : AppendResult.duplicate;
  }

  /**
   * Appends a valid histogram behind the newest sample of its series.
   * @returns `ok`, also for the newest sample again, which is not stored; else `outOfOrder` or `duplicate`: nothing was done
   */
  append(ref: SeriesRef, record: number, timeMs: number, histogram: FloatHistogram): AppendResult {
    if (timeMs <= this.#table.lastTimeMs(record)) return this.check(ref, record, timeMs, histogram);
    const state = this.#states.get(ref) ?? this.#create(ref, histogram);
    const { appender } = state;
    if (!this.#isOpen(record, appender) || appender.encoding !== encodingOf(histogram)) {
      this.#cut(ref, state, timeMs, histogram, 'first');
      state.estimated = false;
    } else if (this.#isFull(record, state, timeMs)) {
      this.#cut(ref, state, timeMs, histogram, 'full');
      state.estimated = false;
    } else if (!appender.append(timeMs, histogram)) {
      this.#cut(ref, state, timeMs, histogram, 'refused');
    }
    state.last = histogram;
    this.#record(record, state, timeMs);
    return AppendResult.ok;
  }

  /** Must be called when a series leaves the head. */
  delete(ref: SeriesRef): void {
    this.#states.get(ref)?.appender.close();
    this.#states.delete(ref);
  }

  #create(ref: SeriesRef, last: FloatHistogram): HistogramState {
    const state = { appender: new HistogramChunkAppender(this.#scratch), last, estimated: false };
    this.#states.set(ref, state);
    return state;
  }

  /** Estimates the end of the chunk when it is a quarter full. @returns whether the sample needs another chunk */
  #isFull(record: number, state: HistogramState, timeMs: number): boolean {
    const table = this.#table;
    const { appender } = state;
    const { samples, sizeBytes } = appender;
    const minMs = this.#time(record + SERIES_CHUNK_MIN_TIME);
    let nextMs = this.#time(record + SERIES_NEXT_AT);
    const rangeEndMs = state.estimated ? this.#rangeEnd(minMs) : nextMs;
    if (!state.estimated && sizeBytes >= TARGET_BYTES / 4) {
      nextMs = chunkEnd(minMs, table.lastTimeMs(record), nextMs, TARGET_BYTES / sizeBytes);
      this.#setTime(record + SERIES_NEXT_AT, nextMs);
      state.estimated = true;
    }
    if (timeMs < nextMs && sizeBytes < TARGET_BYTES * 2) return false;
    return samples >= MIN_SAMPLES || timeMs >= rangeEndMs;
  }

  #cut(
    ref: SeriesRef,
    { appender }: HistogramState,
    timeMs: number,
    histogram: FloatHistogram,
    reason: CutReason,
  ): void {
    const table = this.#table;
    // The sample is told against the open chunk, which is then completed, and moved.
    appender.cut(timeMs, histogram, reason);
    table.closeChunk(ref);
    table.chunks++;
    table.chunksCreated++;
    const record = table.record(ref);
    this.#setTime(record + SERIES_CHUNK_MIN_TIME, timeMs);
    this.#setTime(record + SERIES_NEXT_AT, this.#rangeEnd(timeMs));
  }

  /** Brings the series record up to date with the open chunk. */
  #record(record: number, { appender }: HistogramState, timeMs: number): void {
    const { u8, u32 } = this.#arena;
    u32[(record + SERIES_CHUNK) >>> 2] = appender.block;
    u32[(record + SERIES_CHUNK_CAPACITY) >>> 2] = appender.capacityBytes;
    u32[(record + SERIES_CHUNK_BITS) >>> 2] = appender.bits;
    u8[record + SERIES_CHUNK_SAMPLES] = appender.samples;
    u8[record + SERIES_CHUNK_SAMPLES + 1] = appender.samples >>> 8;
    u8[record + SERIES_LEADING] = OPEN_CHUNK_ENCODING + appender.encoding;
    u32[(record + SERIES_LAST_VALUE) >>> 2] = LAST_VALUE_HISTOGRAM_LOW;
    u32[(record + SERIES_LAST_VALUE + 4) >>> 2] = LAST_VALUE_HISTOGRAM_HIGH;
    this.#setTime(record + SERIES_LAST_TIME, timeMs);
  }

  /** Whether the chunk that the appender writes is still the series' open one. */
  #isOpen(record: number, { block, encoding, samples }: HistogramChunkAppender): boolean {
    const { u8, u32 } = this.#arena;
    return (
      samples > 0 &&
      u32[(record + SERIES_CHUNK) >>> 2] === block &&
      u8[record + SERIES_LEADING] === OPEN_CHUNK_ENCODING + encoding
    );
  }

  #isHistogram(record: number): boolean {
    const { u32 } = this.#arena;
    return (
      u32[(record + SERIES_LAST_VALUE) >>> 2] === LAST_VALUE_HISTOGRAM_LOW &&
      u32[(record + SERIES_LAST_VALUE + 4) >>> 2] === LAST_VALUE_HISTOGRAM_HIGH
    );
  }

  /** An i64 of milliseconds as a number. */
  #time(address: number): number {
    const { u32 } = this.#arena;
    return (u32[(address >>> 2) + 1]! | 0) * TWO_32 + u32[address >>> 2]!;
  }

  #setTime(address: number, timeMs: number): void {
    const { u32 } = this.#arena;
    const high = Math.floor(timeMs / TWO_32);
    u32[address >>> 2] = timeMs - high * TWO_32;
    u32[(address >>> 2) + 1] = high;
  }

  /** `rangeForTimestamp` of tsdb/db.go; Go divides towards zero. */
  #rangeEnd(timeMs: number): number {
    const width = this.#blockDurationMs;
    return Math.trunc(timeMs / width) * width + width;
  }
}

/** `computeChunkEndTime` of tsdb/head_append.go. */
function chunkEnd(startMs: number, lastMs: number, endMs: number, ratioToFull: number): number {
  const chunks = (endMs - startMs) / ((lastMs - startMs + 1) * ratioToFull);
  return chunks <= 1 ? endMs : Math.trunc(startMs + (endMs - startMs) / Math.floor(chunks));
}

function encodingOf(histogram: FloatHistogram): Encoding {
  return histogram.integer ? Encoding.histogram : Encoding.floatHistogram;
}
