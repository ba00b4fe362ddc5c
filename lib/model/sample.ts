/**
 * Samples, stale markers and the histogram-capable value type.
 *
 * Timestamps are milliseconds since the epoch as JavaScript numbers (safe to ±2^53); values are float64.
 */

/** Upper 32 bits of Prometheus's stale NaN `0x7ff0000000000002` (model/value, `StaleNaN`). */
export const STALE_NAN_HIGH = 0x7ff00000;
/** Lower 32 bits of the stale NaN. */
export const STALE_NAN_LOW = 0x00000002;

const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

/**
 * The stale marker as a number. It is a signalling NaN: engines may set the quiet bit (bit 51) when a double moves, so
 * `isStaleNaN` accepts both, and encoders write the exact bits whenever `isStaleNaN` holds. No ordinary NaN has a
 * lower word of 2 (Prometheus's own is ...01, the hardware's ...00).
 */
export const STALE_NAN: number = (() => {
  scratchWords[0] = STALE_NAN_LOW;
  scratchWords[1] = STALE_NAN_HIGH;
  return scratch[0]!;
})();

/**
 * What Go takes "NaN" for (model/value, `NormalNaN`): its lowest bit is set, unlike in JavaScript's own. Samples that were
 * not a number are stored so, bit for bit as by Prometheus.
 */
export const NORMAL_NAN: number = (() => {
  scratchWords[0] = 1;
  scratchWords[1] = 0x7ff80000;
  return scratch[0]!;
})();

/** True for the stale marker only, not for ordinary NaN. */
export function isStaleNaN(value: number): boolean {
  if (value === value) return false;
  scratch[0] = value;
  return scratchWords[0] === STALE_NAN_LOW && (scratchWords[1]! & ~0x00080000) >>> 0 === STALE_NAN_HIGH;
}

/** A run of buckets: `length` buckets starting at index `offset`. */
export interface HistogramSpan {
  readonly offset: number;
  readonly length: number;
}

/** A native histogram (Prometheus `model/histogram.FloatHistogram`); buckets hold absolute counts. */
export interface FloatHistogram {
  /** All counts are whole, as scraped from an integer histogram (`histogram.Histogram`): storage keeps them as such. */
  readonly integer?: true;
  readonly counterResetHint: 'unknown' | 'reset' | 'not_reset' | 'gauge';
  /** Resolution: bucket bounds are powers of 2^(2^-schema); -53 means custom bounds. */
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly count: number;
  readonly sum: number;
  readonly positiveSpans: readonly HistogramSpan[];
  readonly negativeSpans: readonly HistogramSpan[];
  readonly positiveBuckets: Float64Array;
  readonly negativeBuckets: Float64Array;
  /** Upper bounds when `schema` is -53, else empty. */
  readonly customValues: Float64Array;
}

const NO_ROOM = new Float64Array(0);
/** The first room that is made. */
const MIN_CAPACITY = 256;

/**
 * Columns that an iterator fills: `timestamps[i]` ms, `values[i]`, and for a histogram sample `histograms[i]` (its
 * `values[i]` is then NaN). Reused between series; grows, never shrinks. Without room at first: many are made and never used.
 */
export class SampleColumns {
  timestamps: Float64Array = NO_ROOM;
  values: Float64Array = NO_ROOM;
  /** Sparse; `undefined` while no histogram was pushed since the last `clear`. */
  histograms: (FloatHistogram | undefined)[] | undefined = undefined;
  /**
   * When the counter of a sample began to count, ms, 0 where that is not known; `undefined` while no sample had a start
   * since the last `clear`. As long as `timestamps` or longer.
   */
  starts: Float64Array | undefined = undefined;
  length = 0;

  clear(): void {
    this.length = 0;
    this.histograms = undefined;
    this.starts = undefined;
  }

  /** Makes room for `extra` more samples behind `length`. */
  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.timestamps.length) return;
    const capacity = Math.max(needed, this.timestamps.length * 2, MIN_CAPACITY);
    const timestamps = new Float64Array(capacity);
    timestamps.set(this.timestamps.subarray(0, this.length));
    const values = new Float64Array(capacity);
    values.set(this.values.subarray(0, this.length));
    this.timestamps = timestamps;
    this.values = values;
    if (this.starts !== undefined) {
      const starts = new Float64Array(capacity);
      starts.set(this.starts.subarray(0, this.length));
      this.starts = starts;
    }
  }

  push(timestampMs: number, value: number): void {
    this.reserve(1);
    this.timestamps[this.length] = timestampMs;
    this.values[this.length] = value;
    this.length++;
  }

  pushHistogram(timestampMs: number, histogram: FloatHistogram): void {
    this.push(timestampMs, NaN);
    (this.histograms ??= [])[this.length - 1] = histogram;
  }

  /** Of the sample that was pushed last. */
  setStart(startMs: number): void {
    this.starts ??= new Float64Array(this.timestamps.length);
    this.starts[this.length - 1] = startMs;
  }
}
