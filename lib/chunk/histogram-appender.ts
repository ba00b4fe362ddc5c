import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type HistogramSpan, isStaleNaN } from '../model/index.ts';
import { bucketsReset, type MergedBuckets, mergeBuckets, sameSpans, sameValues, spread } from './buckets.ts';
import { Encoding } from './chunk.ts';
import { CounterResetHeader } from './counter-reset.ts';
import { EMPTY_LAYOUT, HistogramChunkWriter, type HistogramScratch } from './histogram-writer.ts';

export { HistogramScratch } from './histogram-writer.ts';

/** Samples that a chunk's header can count. */
const MAX_SAMPLES = 0xffff;
const NO_BUCKETS: Float64Array = new Float64Array(0);

/** Whether a sample goes on where a chunk of its kind ends. */
type Continuity =
  | 'yes'
  /** A counter reset. */
  | 'reset'
  /** Another schema or zero threshold, or the end of staleness: resets are not looked for. */
  | 'unknown'
  /** A counter behind a gauge. */
  | 'gauge';

/** Why a chunk is begun. */
export type CutReason =
  /** The series has no chunk, or its newest one is not to be looked at. */
  | 'first'
  /** The open chunk has reached its size or its end time. */
  | 'full'
  /** `append` did not take the sample. */
  | 'refused';

/**
 * The open histogram chunk of one series, as `HistogramAppender` and `FloatHistogramAppender` of tsdb/chunkenc write it.
 * After `append` and `cut`, `block`, `bits`, `samples` and `capacityBytes` are what a series record of the head says of
 * its open chunk; the block may have moved.
 */
export class HistogramChunkAppender {
  readonly #writer: HistogramChunkWriter;
  // The newest sample. Nothing but stale markers goes on behind one, so its counts are not asked for.
  #count = 0;
  #zeroCount = 0;
  #stale = false;

  constructor(scratch: HistogramScratch) {
    this.#writer = new HistogramChunkWriter(scratch);
  }

  get encoding(): HistogramChunkWriter['encoding'] {
    return this.#writer.encoding;
  }

  /** Address of the open chunk's block; 0 while there is none. */
  get block(): number {
    return this.#writer.block;
  }

  /** Bytes for chunk data in the block. */
  get capacityBytes(): number {
    return this.#writer.capacityBytes;
  }

  /** Bits of chunk data in use. */
  get bits(): number {
    return this.#writer.bits;
  }

  get samples(): number {
    return this.#writer.samples;
  }

  /** Bytes of the open chunk. */
  get sizeBytes(): number {
    return this.#writer.sizeBytes;
  }

  /** Size of the open chunk's block, as it is to be freed. */
  get blockBytes(): number {
    return this.#writer.blockBytes;
  }

  /**
   * Appends to the open chunk; expands its buckets, or the sample's, where one has buckets that the other lacks.
   * @param histogram valid: bucket counts fit the spans, at most MAX_BUCKETS of them; whole counts when it is an `integer`.
   *   Its spans and custom values may be kept
   * @returns false when the sample needs a chunk of its own: nothing was done, call `cut`
   */
  append(timeMs: number, histogram: FloatHistogram): boolean {
    const writer = this.#writer;
    if (this.samples === 0 || this.samples === MAX_SAMPLES || encodingOf(histogram) !== this.encoding) return false;
    const gauge = histogram.counterResetHint === 'gauge';
    if (gauge !== (writer.header === CounterResetHeader.gauge) || histogram.counterResetHint === 'reset') return false;
    if (isStaleNaN(histogram.sum)) {
      this.#write(timeMs, histogram, NO_BUCKETS, NO_BUCKETS);
      return true;
    }
    if (this.#hasBucketsOf(histogram)) {
      if (gauge ? !this.#hasLayoutOf(histogram) : this.#continuity(histogram) !== 'yes') return false;
      this.#write(timeMs, histogram, histogram.positiveBuckets, histogram.negativeBuckets);
      return true;
    }
    const positive = mergeBuckets(writer.layout.positiveSpans, histogram.positiveSpans);
    const negative = mergeBuckets(writer.layout.negativeSpans, histogram.negativeSpans);
    if (gauge ? !this.#hasLayoutOf(histogram) : this.#continuity(histogram, positive, negative) !== 'yes') return false;
    if (positive.count > positive.first.length || negative.count > negative.first.length) {
      const missing = positive.count > positive.second.length || negative.count > negative.second.length;
      writer.expand(
        spansOf(histogram.positiveSpans, positive, gauge, missing),
        spansOf(histogram.negativeSpans, negative, gauge, missing),
        positive.first,
        negative.first,
      );
    }
    this.#write(
      timeMs,
      histogram,
      spread(histogram.positiveBuckets, positive.second, positive.count),
      spread(histogram.negativeBuckets, negative.second, negative.count),
    );
    return true;
  }

  /**
   * Begins a chunk with a sample, in a new block. The block of the open chunk, if there is one, is left to the caller.
   * @param histogram as for `append`
   */
  cut(timeMs: number, histogram: FloatHistogram, reason: CutReason): void {
    const header = this.#headerAfterCut(histogram, reason);
    const stale = isStaleNaN(histogram.sum);
    const { schema, zeroThreshold, positiveSpans, negativeSpans, customValues } = histogram;
    this.#writer.begin(
      encodingOf(histogram),
      stale ? EMPTY_LAYOUT : { schema, zeroThreshold, positiveSpans, negativeSpans, customValues },
      header,
    );
    const { positiveBuckets, negativeBuckets } = histogram;
    this.#write(timeMs, histogram, stale ? NO_BUCKETS : positiveBuckets, stale ? NO_BUCKETS : negativeBuckets);
  }

  /** Gives all memory back but the block of the open chunk, which is left to the caller. */
  close(): void {
    this.#writer.close();
  }

  /** What `AppendHistogram` and `AppendFloatHistogram` put into the header of a new chunk. */
  #headerAfterCut(histogram: FloatHistogram, reason: CutReason): CounterResetHeader {
    if (histogram.counterResetHint === 'gauge') return CounterResetHeader.gauge;
    const alone = reason === 'first' || this.samples === 0 || encodingOf(histogram) !== this.encoding;
    if (alone || reason === 'full') {
      if (histogram.counterResetHint === 'reset') return CounterResetHeader.reset;
      if (alone) return CounterResetHeader.unknown;
    }
    const continuity = this.#continuityOf(histogram);
    if (continuity === 'reset') return CounterResetHeader.reset;
    // For floats Prometheus does not tell "unknown" from "no reset", but by where it looks.
    if (this.encoding === Encoding.floatHistogram) {
      return reason === 'full' ? CounterResetHeader.notReset : CounterResetHeader.unknown;
    }
    return continuity === 'unknown' ? CounterResetHeader.unknown : CounterResetHeader.notReset;
  }

  #continuityOf(histogram: FloatHistogram): Continuity {
    const { header, layout } = this.#writer;
    if (header === CounterResetHeader.gauge) return 'gauge';
    if (histogram.counterResetHint === 'reset') return 'reset';
    if (isStaleNaN(histogram.sum)) return 'yes';
    if (this.#hasBucketsOf(histogram)) return this.#continuity(histogram);
    const positive = mergeBuckets(layout.positiveSpans, histogram.positiveSpans);
    const negative = mergeBuckets(layout.negativeSpans, histogram.negativeSpans);
    return this.#continuity(histogram, positive, negative);
  }

  /**
   * `appendable` of tsdb/chunkenc/histogram.go, for a counter behind a counter that is not stale itself. Without merged
   * buckets the sample has the buckets of the chunk.
   */
  #continuity(histogram: FloatHistogram, positive?: MergedBuckets, negative?: MergedBuckets): Continuity {
    const { layout } = this.#writer;
    if (this.#stale) return 'unknown';
    if (histogram.count < this.#count) return 'reset';
    if (histogram.schema !== layout.schema || histogram.zeroThreshold !== layout.zeroThreshold) return 'unknown';
    if (!this.#hasLayoutOf(histogram) || histogram.zeroCount < this.#zeroCount) return 'reset';
    if (positive === undefined || negative === undefined) return this.#writer.decreased(histogram) ? 'reset' : 'yes';
    const newest = this.#writer.newestBuckets();
    const reset =
      bucketsReset(positive, newest.positive, histogram.positiveBuckets) ||
      bucketsReset(negative, newest.negative, histogram.negativeBuckets);
    return reset ? 'reset' : 'yes';
  }

  /** Whether the buckets are the chunk's, in the same spans. */
  #hasBucketsOf({ positiveSpans, negativeSpans }: FloatHistogram): boolean {
    const { layout } = this.#writer;
    return sameSpans(layout.positiveSpans, positiveSpans) && sameSpans(layout.negativeSpans, negativeSpans);
  }

  /** Whether all but the buckets is as in the chunk: `appendableGauge` for a gauge behind a gauge that is not stale itself. */
  #hasLayoutOf({ schema, zeroThreshold, customValues }: FloatHistogram): boolean {
    const { layout } = this.#writer;
    if (this.#stale || schema !== layout.schema || zeroThreshold !== layout.zeroThreshold) return false;
    return schema !== CUSTOM_BUCKETS_SCHEMA || sameValues(customValues, layout.customValues);
  }

  #write(timeMs: number, histogram: FloatHistogram, positive: Float64Array, negative: Float64Array): void {
    this.#writer.append(timeMs, histogram, positive, negative);
    this.#stale = isStaleNaN(histogram.sum);
    this.#count = histogram.count;
    this.#zeroCount = histogram.zeroCount;
  }
}

function encodingOf(histogram: FloatHistogram): HistogramChunkWriter['encoding'] {
  return histogram.integer ? Encoding.histogram : Encoding.floatHistogram;
}

/**
 * The spans of an expanded chunk. Where only the chunk grows they are the sample's as it came; where the sample lacks buckets
 * too they are the merged ones, of a counter only on the side where it lacks some.
 */
function spansOf(
  spans: readonly HistogramSpan[],
  merged: MergedBuckets,
  gauge: boolean,
  missing: boolean,
): readonly HistogramSpan[] {
  return missing && (gauge || merged.count > merged.second.length) ? merged.spans : spans;
}
