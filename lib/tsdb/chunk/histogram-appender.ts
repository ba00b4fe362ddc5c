import { histogramLayout as at, type Kernels, layout } from '../../kernels/index.ts';
import {
  assert,
  CUSTOM_BUCKETS_SCHEMA,
  type FloatHistogram,
  type HistogramSpan,
  isStaleNaN,
} from '../../model/index.ts';
import { Scratch } from '../wal/scratch.ts';
import {
  bucketsReset,
  countBuckets,
  type MergedBuckets,
  mergeBuckets,
  sameSpans,
  sameValues,
  spread,
} from './buckets.ts';
import { Encoding } from './chunk.ts';
import { CounterResetHeader } from './counter-reset.ts';
import { HistogramReader } from './histogram-reader.ts';

const { CHUNK_DATA, CHUNK_SLACK } = layout;

/** Samples that a chunk's header can count. */
const MAX_SAMPLES = 0xffff;
/** The third byte of a chunk holds the counter reset header. */
const HEADER_AT = 2;

const NO_SPANS: readonly HistogramSpan[] = [];
const NO_VALUES: Float64Array = new Float64Array(0);

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

/** Arena memory that all appenders of a thread share. */
export class HistogramScratch {
  readonly kernels: Kernels;
  readonly rows: Scratch;
  readonly layout: Scratch;
  readonly reader: HistogramReader;

  constructor(kernels: Kernels) {
    this.kernels = kernels;
    this.rows = new Scratch(kernels.arena);
    this.layout = new Scratch(kernels.arena);
    this.reader = new HistogramReader(kernels);
  }

  release(): void {
    this.rows.release();
    this.layout.release();
    this.reader.release();
  }
}

/**
 * The open histogram chunk of one series, as `HistogramAppender` and `FloatHistogramAppender` of tsdb/chunkenc write it.
 * Its bytes lie in an arena block like those of the head's open XOR chunks: CHUNK_DATA bytes in front for the header of a
 * completed chunk, CHUNK_SLACK behind. After `append` and `cut`, `block`, `bits`, `samples` and `capacityBytes` are what
 * the series record says of the chunk; the block may have moved.
 *
 * What a sample is told against lies in a state of the arena (kernels' histogram-layout.ts), so that appending costs
 * no more than the bits that are written.
 */
export class HistogramChunkAppender {
  readonly #scratch: HistogramScratch;
  readonly #state: Scratch;
  encoding: typeof Encoding.histogram | typeof Encoding.floatHistogram = Encoding.histogram;
  /** Address of the open chunk's block; 0 while there is none. */
  block = 0;
  /** Bytes for chunk data in the block. */
  capacityBytes = 0;
  /** Bits of chunk data in use. */
  bits = 0;
  samples = 0;

  // What the chunk begins with.
  #schema = 0;
  #zeroThreshold = 0;
  #positiveSpans = NO_SPANS;
  #negativeSpans = NO_SPANS;
  #customValues = NO_VALUES;
  #positive = 0;
  #negative = 0;
  // The newest sample. Nothing but stale markers goes on behind one, so its counts are not asked for.
  #count = 0;
  #zeroCount = 0;
  #stale = false;

  constructor(scratch: HistogramScratch) {
    this.#scratch = scratch;
    this.#state = new Scratch(scratch.kernels.arena);
  }

  /** Bytes of the open chunk. */
  get sizeBytes(): number {
    return (this.bits + 7) >>> 3;
  }

  /** Size of the open chunk's block, as it is to be freed. */
  get blockBytes(): number {
    return CHUNK_DATA + this.capacityBytes + CHUNK_SLACK;
  }

  /**
   * Appends to the open chunk; expands its buckets, or the sample's, where one has buckets that the other lacks.
   * @param histogram valid: bucket counts fit the spans, at most MAX_BUCKETS of them; whole counts when it is an `integer`
   * @returns false when the sample needs a chunk of its own: nothing was done, call `cut`
   */
  append(timeMs: number, histogram: FloatHistogram): boolean {
    if (this.samples === 0 || this.samples === MAX_SAMPLES || encodingOf(histogram) !== this.encoding) return false;
    const gauge = histogram.counterResetHint === 'gauge';
    if (gauge !== (this.#header === CounterResetHeader.gauge) || histogram.counterResetHint === 'reset') return false;
    if (isStaleNaN(histogram.sum)) {
      this.#write(timeMs, histogram, NO_VALUES, NO_VALUES);
      return true;
    }
    if (
      sameSpans(this.#positiveSpans, histogram.positiveSpans) &&
      sameSpans(this.#negativeSpans, histogram.negativeSpans)
    ) {
      if (gauge ? !this.#sameLayout(histogram) : this.#continuity(histogram) !== 'yes') return false;
      this.#write(timeMs, histogram, histogram.positiveBuckets, histogram.negativeBuckets);
      return true;
    }
    const positive = mergeBuckets(this.#positiveSpans, histogram.positiveSpans);
    const negative = mergeBuckets(this.#negativeSpans, histogram.negativeSpans);
    if (gauge ? !this.#sameLayout(histogram) : this.#continuity(histogram, positive, negative) !== 'yes') return false;
    // The merged spans are written when buckets of the chunk are missing in the sample, else those of the sample.
    const missing = positive.count > positive.second.length || negative.count > negative.second.length;
    if (positive.count > positive.first.length || negative.count > negative.first.length) {
      this.#expand(
        positive,
        negative,
        spansOf(histogram.positiveSpans, positive, gauge, missing),
        spansOf(histogram.negativeSpans, negative, gauge, missing),
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
    this.encoding = encodingOf(histogram);
    this.#schema = stale ? 0 : histogram.schema;
    this.#zeroThreshold = stale ? 0 : histogram.zeroThreshold;
    this.#customValues = stale ? NO_VALUES : histogram.customValues;
    this.#begin(stale ? NO_SPANS : histogram.positiveSpans, stale ? NO_SPANS : histogram.negativeSpans, header);
    const { positiveBuckets, negativeBuckets } = histogram;
    this.#write(timeMs, histogram, stale ? NO_VALUES : positiveBuckets, stale ? NO_VALUES : negativeBuckets);
  }

  /** Gives the state back. The block of the open chunk is left to the caller. */
  close(): void {
    this.#state.release();
    this.block = 0;
    this.samples = 0;
  }

  get #header(): number {
    return this.#scratch.kernels.arena.u8[this.block + CHUNK_DATA + HEADER_AT]!;
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
    if (this.#header === CounterResetHeader.gauge) return 'gauge';
    if (histogram.counterResetHint === 'reset') return 'reset';
    if (isStaleNaN(histogram.sum)) return 'yes';
    if (
      sameSpans(this.#positiveSpans, histogram.positiveSpans) &&
      sameSpans(this.#negativeSpans, histogram.negativeSpans)
    ) {
      return this.#continuity(histogram);
    }
    const positive = mergeBuckets(this.#positiveSpans, histogram.positiveSpans);
    const negative = mergeBuckets(this.#negativeSpans, histogram.negativeSpans);
    return this.#continuity(histogram, positive, negative);
  }

  /**
   * `appendable` of tsdb/chunkenc/histogram.go, for a counter behind a counter that is not stale itself. Without merged
   * buckets the sample has the buckets of the chunk.
   */
  #continuity(histogram: FloatHistogram, positive?: MergedBuckets, negative?: MergedBuckets): Continuity {
    if (this.#stale) return 'unknown';
    if (histogram.count < this.#count) return 'reset';
    if (histogram.schema !== this.#schema || histogram.zeroThreshold !== this.#zeroThreshold) return 'unknown';
    if (histogram.schema === CUSTOM_BUCKETS_SCHEMA && !sameValues(histogram.customValues, this.#customValues)) {
      return 'reset';
    }
    if (histogram.zeroCount < this.#zeroCount) return 'reset';
    const { wasm, arena } = this.#scratch.kernels;
    if (positive === undefined || negative === undefined) {
      const row = this.#row(0, histogram, histogram.positiveBuckets, histogram.negativeBuckets);
      return wasm.histogramDecreased(this.#state.address, row) !== 0 ? 'reset' : 'yes';
    }
    const row = this.#scratch.rows.reserve(this.#rowBytes());
    wasm.histogramValues(this.#state.address, row);
    const from = (row + at.ROW_CELLS) / 8 + at.PLAIN_CELLS;
    const positiveBefore = arena.f64.subarray(from, from + this.#positive);
    const negativeBefore = arena.f64.subarray(from + this.#positive, from + this.#positive + this.#negative);
    return bucketsReset(positive, positiveBefore, histogram.positiveBuckets) ||
      bucketsReset(negative, negativeBefore, histogram.negativeBuckets)
      ? 'reset'
      : 'yes';
  }

  /** `appendableGauge`, for a gauge behind a gauge that is not stale itself. */
  #sameLayout(histogram: FloatHistogram): boolean {
    if (this.#stale) return false;
    if (histogram.schema !== this.#schema || histogram.zeroThreshold !== this.#zeroThreshold) return false;
    return histogram.schema !== CUSTOM_BUCKETS_SCHEMA || sameValues(histogram.customValues, this.#customValues);
  }

  /** `recode`: the open chunk written again with more buckets, in a new block. */
  #expand(
    positive: MergedBuckets,
    negative: MergedBuckets,
    positiveSpans: readonly HistogramSpan[],
    negativeSpans: readonly HistogramSpan[],
  ): void {
    const { kernels, reader, rows } = this.#scratch;
    const { arena, wasm } = kernels;
    const oldBlock = this.block;
    const oldBytes = this.blockBytes;
    const oldHeader = this.#header;
    reader.open(this.encoding, oldBlock + CHUNK_DATA, this.sizeBytes);
    this.#begin(positiveSpans, negativeSpans, oldHeader);
    const narrow = rows.reserve(reader.rowLength * 8 + this.#rowBytes());
    const wide = narrow + reader.rowLength * 8;
    while (reader.next(-Infinity, narrow, 1) === 1) {
      this.#reserveSample();
      const { f64 } = arena;
      const from = narrow / 8;
      const to = wide / 8;
      f64.fill(0, to, to + this.#rowBytes() / 8);
      f64.copyWithin(to, from, from + 1 + at.PLAIN_CELLS);
      const buckets = from + 1 + at.PLAIN_CELLS;
      const wideBuckets = to + 1 + at.PLAIN_CELLS;
      const { first } = positive;
      for (let i = 0; i < first.length; i++) f64[wideBuckets + first[i]!] = f64[buckets + i]!;
      for (let i = 0; i < negative.first.length; i++) {
        f64[wideBuckets + positive.count + negative.first[i]!] = f64[buckets + first.length + i]!;
      }
      wasm.appendHistogram(this.#state.address, wide);
      this.#sync();
    }
    arena.free(oldBlock, oldBytes);
  }

  /** Opens an empty chunk in a new block, with a state for it. Schema, threshold and custom values are set. */
  #begin(positiveSpans: readonly HistogramSpan[], negativeSpans: readonly HistogramSpan[], header: number): void {
    const { kernels, layout: area } = this.#scratch;
    const { arena, wasm } = kernels;
    this.#positiveSpans = positiveSpans;
    this.#negativeSpans = negativeSpans;
    this.#positive = countBuckets(positiveSpans);
    this.#negative = countBuckets(negativeSpans);
    const entries = positiveSpans.length + negativeSpans.length + this.#customValues.length;
    assert(
      this.#positive + this.#negative <= at.MAX_BUCKETS && entries <= at.MAX_LAYOUT_ENTRIES,
      'histogram appender: too many buckets',
    );
    const layoutAddress = area.reserve(entries * at.LAYOUT_ENTRY_SIZE);
    const state = this.#state.reserve(this.#stateBytes());
    const layoutBytes = at.MAX_SAMPLE_FRAME_BYTES + entries * at.MAX_LAYOUT_ENTRY_BYTES;
    this.#allocate(layoutBytes + this.#sampleBytes());
    const { u8, u32, f64 } = arena;
    let word = layoutAddress >>> 2;
    for (const spans of [positiveSpans, negativeSpans]) {
      for (const { offset, length } of spans) {
        u32[word++] = offset;
        u32[word++] = length;
      }
    }
    f64.set(this.#customValues, word / 2);
    u32[(state + at.HISTOGRAM_FLOAT) >>> 2] = this.encoding === Encoding.floatHistogram ? 1 : 0;
    u32[(state + at.HISTOGRAM_POSITIVE) >>> 2] = this.#positive;
    u32[(state + at.HISTOGRAM_NEGATIVE) >>> 2] = this.#negative;
    u32[(state + at.HISTOGRAM_SCHEMA) >>> 2] = this.#schema;
    u32[(state + at.HISTOGRAM_POSITIVE_SPANS) >>> 2] = positiveSpans.length;
    u32[(state + at.HISTOGRAM_NEGATIVE_SPANS) >>> 2] = negativeSpans.length;
    u32[(state + at.HISTOGRAM_CUSTOM_VALUES) >>> 2] = this.#customValues.length;
    f64[(state + at.HISTOGRAM_ZERO_THRESHOLD) / 8] = this.#zeroThreshold;
    wasm.startHistograms(state, this.block + CHUNK_DATA, layoutAddress);
    u8[this.block + CHUNK_DATA + HEADER_AT] = header;
    this.#sync();
  }

  /** Writes a sample; buckets as the chunk has them. */
  #write(
    timeMs: number,
    histogram: FloatHistogram,
    positiveBuckets: Float64Array,
    negativeBuckets: Float64Array,
  ): void {
    this.#reserveSample();
    const row = this.#row(timeMs, histogram, positiveBuckets, negativeBuckets);
    this.#scratch.kernels.wasm.appendHistogram(this.#state.address, row);
    this.#sync();
    this.#stale = isStaleNaN(histogram.sum);
    this.#count = histogram.count;
    this.#zeroCount = histogram.zeroCount;
  }

  #row(timeMs: number, histogram: FloatHistogram, positive: Float64Array, negative: Float64Array): number {
    const { rows, kernels } = this.#scratch;
    const stale = isStaleNaN(histogram.sum);
    assert(
      stale || (positive.length === this.#positive && negative.length === this.#negative),
      'histogram appender: bucket counts do not fit the spans',
    );
    const row = rows.reserve(this.#rowBytes());
    const { f64 } = kernels.arena;
    let index = row / 8;
    f64[index++] = timeMs;
    f64[index++] = stale ? 0 : histogram.count;
    f64[index++] = stale ? 0 : histogram.zeroCount;
    f64[index++] = histogram.sum;
    f64.set(positive, index);
    f64.set(negative, index + positive.length);
    return row;
  }

  /** Moves the chunk to a larger block when the next sample might not fit. */
  #reserveSample(): void {
    const needed = this.sizeBytes + this.#sampleBytes();
    if (needed <= this.capacityBytes) return;
    const { arena } = this.#scratch.kernels;
    const oldBlock = this.block;
    const oldBytes = this.blockBytes;
    this.#allocate(needed);
    const { u8, u32 } = arena;
    u8.copyWithin(this.block, oldBlock, oldBlock + CHUNK_DATA + this.sizeBytes);
    arena.free(oldBlock, oldBytes);
    u32[(this.#state.address + at.HISTOGRAM_CHUNK) >>> 2] = this.block + CHUNK_DATA;
  }

  #allocate(dataBytes: number): void {
    const { arena } = this.#scratch.kernels;
    const sizeBytes = arena.capacityOf(CHUNK_DATA + dataBytes + CHUNK_SLACK);
    this.block = arena.allocate(sizeBytes);
    this.capacityBytes = sizeBytes - CHUNK_DATA - CHUNK_SLACK;
  }

  #sync(): void {
    const { u32 } = this.#scratch.kernels.arena;
    this.bits = u32[(this.#state.address + at.HISTOGRAM_BITS) >>> 2]!;
    this.samples = u32[(this.#state.address + at.HISTOGRAM_SAMPLES) >>> 2]!;
  }

  get #cells(): number {
    return at.PLAIN_CELLS + this.#positive + this.#negative;
  }

  #stateBytes(): number {
    return at.HISTOGRAM_CELLS + this.#cells * at.CELL_SIZE;
  }

  #rowBytes(): number {
    return at.ROW_CELLS + this.#cells * 8;
  }

  /** The most that a sample takes. */
  #sampleBytes(): number {
    return at.MAX_SAMPLE_FRAME_BYTES + this.#cells * at.MAX_CELL_BYTES;
  }
}

function encodingOf(histogram: FloatHistogram): typeof Encoding.histogram | typeof Encoding.floatHistogram {
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
