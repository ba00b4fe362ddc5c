import { histogramLayout as at, type Kernels, layout, Scratch } from '../kernels/index.ts';
import { assert, type FloatHistogram, type HistogramSpan, isStaleNaN } from '../model/index.ts';
import { countBuckets } from './buckets.ts';
import { Encoding } from './chunk.ts';
import { HistogramReader } from './histogram-reader.ts';

const { CHUNK_DATA, CHUNK_SLACK } = layout;

/** The third byte of a chunk holds the counter reset header. */
const HEADER_AT = 2;

/** What all samples of a chunk have in common. */
export interface HistogramChunkLayout {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly positiveSpans: readonly HistogramSpan[];
  readonly negativeSpans: readonly HistogramSpan[];
  /** Upper bounds when the schema is -53. */
  readonly customValues: Float64Array;
}

/** Of a chunk that begins with a stale marker. */
export const EMPTY_LAYOUT: HistogramChunkLayout = {
  schema: 0,
  zeroThreshold: 0,
  positiveSpans: [],
  negativeSpans: [],
  customValues: new Float64Array(0),
};

/** Arena memory that all writers of a thread share. */
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
 * Writes one histogram chunk after the other, each to an arena block like those of the head's open XOR chunks: CHUNK_DATA
 * bytes in front for the header of a completed chunk, CHUNK_SLACK behind. The block moves when the chunk outgrows it.
 *
 * What a sample is told against lies in a state of the arena (kernels' histogram-layout.ts), so that writing costs no more
 * than the bits that are written.
 */
export class HistogramChunkWriter {
  readonly #scratch: HistogramScratch;
  readonly #state: Scratch;
  encoding: typeof Encoding.histogram | typeof Encoding.floatHistogram = Encoding.histogram;
  layout = EMPTY_LAYOUT;
  /** Address of the open chunk's block; 0 while there is none. */
  block = 0;
  /** Bytes for chunk data in the block. */
  capacityBytes = 0;
  /** Bits of chunk data in use. */
  bits = 0;
  samples = 0;
  #positive = 0;
  #negative = 0;

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

  /** The open chunk's counter reset header. */
  get header(): number {
    return this.#scratch.kernels.arena.u8[this.block + CHUNK_DATA + HEADER_AT]!;
  }

  /** Opens an empty chunk in a new block. The block before is left to the caller. `chunkLayout` is kept. */
  begin(encoding: HistogramChunkWriter['encoding'], chunkLayout: HistogramChunkLayout, header: number): void {
    const { kernels, layout: area } = this.#scratch;
    const { positiveSpans, negativeSpans, customValues } = chunkLayout;
    this.encoding = encoding;
    this.layout = chunkLayout;
    this.#positive = countBuckets(positiveSpans);
    this.#negative = countBuckets(negativeSpans);
    const entries = positiveSpans.length + negativeSpans.length + customValues.length;
    assert(
      this.#positive + this.#negative <= at.MAX_BUCKETS && entries <= at.MAX_LAYOUT_ENTRIES,
      'histogram writer: too many buckets',
    );
    const layoutAddress = area.reserve(entries * at.LAYOUT_ENTRY_SIZE);
    const state = this.#state.reserve(at.HISTOGRAM_CELLS + this.#cells * at.CELL_SIZE);
    const layoutBytes = at.MAX_SAMPLE_FRAME_BYTES + entries * at.MAX_LAYOUT_ENTRY_BYTES;
    this.#allocate(layoutBytes + this.#sampleBytes);
    const { u8, u32, f64 } = kernels.arena;
    let word = layoutAddress >>> 2;
    for (const spans of [positiveSpans, negativeSpans]) {
      for (const { offset, length } of spans) {
        u32[word++] = offset;
        u32[word++] = length;
      }
    }
    f64.set(customValues, word / 2);
    u32[(state + at.HISTOGRAM_FLOAT) >>> 2] = encoding === Encoding.floatHistogram ? 1 : 0;
    u32[(state + at.HISTOGRAM_POSITIVE) >>> 2] = this.#positive;
    u32[(state + at.HISTOGRAM_NEGATIVE) >>> 2] = this.#negative;
    u32[(state + at.HISTOGRAM_SCHEMA) >>> 2] = chunkLayout.schema;
    u32[(state + at.HISTOGRAM_POSITIVE_SPANS) >>> 2] = positiveSpans.length;
    u32[(state + at.HISTOGRAM_NEGATIVE_SPANS) >>> 2] = negativeSpans.length;
    u32[(state + at.HISTOGRAM_CUSTOM_VALUES) >>> 2] = customValues.length;
    f64[(state + at.HISTOGRAM_ZERO_THRESHOLD) / 8] = chunkLayout.zeroThreshold;
    kernels.wasm.startHistograms(state, this.block + CHUNK_DATA, layoutAddress);
    u8[this.block + CHUNK_DATA + HEADER_AT] = header;
    this.#sync();
  }

  /** Appends a sample; buckets as the chunk has them, of a stale marker none. */
  append(timeMs: number, histogram: FloatHistogram, positive: Float64Array, negative: Float64Array): void {
    this.#reserveSample();
    this.#appendRow(this.#row(timeMs, histogram, positive, negative));
  }

  /**
   * Writes the open chunk again with more buckets (`recode`), in a new block; frees the old one.
   * @param positivePlaces where each bucket of the open chunk lies among the new ones, `negativePlaces` likewise
   */
  expand(
    positiveSpans: readonly HistogramSpan[],
    negativeSpans: readonly HistogramSpan[],
    positivePlaces: Uint32Array,
    negativePlaces: Uint32Array,
  ): void {
    const { kernels, reader, rows } = this.#scratch;
    const { block, blockBytes } = this;
    reader.open(this.encoding, block + CHUNK_DATA, this.sizeBytes);
    this.begin(this.encoding, { ...this.layout, positiveSpans, negativeSpans }, this.header);
    const narrowLength = reader.rowLength;
    const wideLength = 1 + this.#cells;
    const narrow = rows.reserve((narrowLength + wideLength) * 8) / 8;
    const wide = narrow + narrowLength;
    const plain = 1 + at.PLAIN_CELLS;
    while (reader.next(-Infinity, narrow * 8, 1) === 1) {
      this.#reserveSample();
      const { f64 } = kernels.arena;
      f64.fill(0, wide, wide + wideLength);
      f64.copyWithin(wide, narrow, narrow + plain);
      let from = narrow + plain;
      for (const place of positivePlaces) f64[wide + plain + place] = f64[from++]!;
      for (const place of negativePlaces) f64[wide + plain + this.#positive + place] = f64[from++]!;
      this.#appendRow(wide * 8);
    }
    kernels.arena.free(block, blockBytes);
  }

  /** Whether a bucket of `histogram`, which has the chunk's buckets, is smaller than in the newest sample. */
  decreased(histogram: FloatHistogram): boolean {
    const row = this.#row(0, histogram, histogram.positiveBuckets, histogram.negativeBuckets);
    return this.#scratch.kernels.wasm.histogramDecreased(this.#state.address, row) !== 0;
  }

  /** The buckets of the newest sample, until the next call. */
  newestBuckets(): { positive: Float64Array; negative: Float64Array } {
    const { kernels, rows } = this.#scratch;
    const row = rows.reserve(this.#rowBytes);
    kernels.wasm.histogramValues(this.#state.address, row);
    const from = row / 8 + 1 + at.PLAIN_CELLS;
    const middle = from + this.#positive;
    const { f64 } = kernels.arena;
    return { positive: f64.subarray(from, middle), negative: f64.subarray(middle, middle + this.#negative) };
  }

  /** Gives the state back. The block of the open chunk is left to the caller. */
  close(): void {
    this.#state.release();
    this.block = 0;
    this.samples = 0;
  }

  #row(timeMs: number, histogram: FloatHistogram, positive: Float64Array, negative: Float64Array): number {
    const stale = isStaleNaN(histogram.sum);
    assert(
      stale || (positive.length === this.#positive && negative.length === this.#negative),
      'histogram writer: bucket counts do not fit the spans',
    );
    const row = this.#scratch.rows.reserve(this.#rowBytes);
    const { f64 } = this.#scratch.kernels.arena;
    let index = row / 8;
    f64[index++] = timeMs;
    f64[index++] = stale ? 0 : histogram.count;
    f64[index++] = stale ? 0 : histogram.zeroCount;
    f64[index++] = histogram.sum;
    f64.set(positive, index);
    f64.set(negative, index + positive.length);
    return row;
  }

  #appendRow(row: number): void {
    this.#scratch.kernels.wasm.appendHistogram(this.#state.address, row);
    this.#sync();
  }

  /** Moves the chunk to a larger block when the next sample might not fit. */
  #reserveSample(): void {
    const needed = this.sizeBytes + this.#sampleBytes;
    if (needed <= this.capacityBytes) return;
    const { arena } = this.#scratch.kernels;
    const { block, blockBytes } = this;
    this.#allocate(needed);
    arena.u8.copyWithin(this.block, block, block + CHUNK_DATA + this.sizeBytes);
    arena.free(block, blockBytes);
    arena.u32[(this.#state.address + at.HISTOGRAM_CHUNK) >>> 2] = this.block + CHUNK_DATA;
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

  get #rowBytes(): number {
    return at.ROW_CELLS + this.#cells * 8;
  }

  /** The most that a sample takes. */
  get #sampleBytes(): number {
    return at.MAX_SAMPLE_FRAME_BYTES + this.#cells * at.MAX_CELL_BYTES;
  }
}
