import { histogramLayout as at, type Kernels, Scratch } from '../kernels/index.ts';
import { CUSTOM_BUCKETS_SCHEMA, type HistogramSpan, PromletError } from '../model/index.ts';
import { sameValues } from './buckets.ts';
import type { Encoding } from './chunk.ts';

/** Layout entries there is room for at first. */
const FIRST_ENTRIES = 256;
/** Numbers in all rows of a chunk; one with more is refused. 120 samples of the largest histogram fit. */
const MAX_ROW_VALUES = 1 << 23;
/** Schemas of exponential buckets that Prometheus knows (`IsExponentialSchemaReserved`). */
const MIN_SCHEMA = -9;
const MAX_SCHEMA = 52;

const NO_SPANS: readonly HistogramSpan[] = [];
const NO_VALUES: Float64Array = new Float64Array(0);

/** Reads histogram chunks that lie in the arena, one after the other, into rows (kernels' histogram-layout.ts). */
export class HistogramReader {
  readonly #kernels: Kernels;
  readonly #state: Scratch;
  readonly #layout: Scratch;
  /** Samples of the open chunk. */
  total = 0;
  /** Its counter reset header: CounterResetHeader of counter-reset.ts. */
  header = 0;
  isFloat = false;
  schema = 0;
  zeroThreshold = 0;
  /** Shared by all that read the chunk, and with the next chunk when it has the same. */
  positiveSpans = NO_SPANS;
  negativeSpans = NO_SPANS;
  customValues = NO_VALUES;
  /** Buckets, and f64 in a row. */
  positive = 0;
  negative = 0;
  rowLength = 0;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
    this.#state = new Scratch(kernels.arena);
    this.#layout = new Scratch(kernels.arena);
  }

  /** Samples read so far, those before the wanted time included. */
  get read(): number {
    return this.#kernels.arena.u32[(this.#state.address + at.HISTOGRAM_SAMPLES) >>> 2]!;
  }

  /**
   * @param address of the chunk's `length` bytes, at most MAX_CHUNK_BYTES
   * @throws PromletError `storage/bad-chunk`
   */
  open(encoding: Encoding, address: number, length: number): void {
    const { wasm, arena } = this.#kernels;
    let state = this.#state.reserve(at.HISTOGRAM_CELLS);
    for (let entries = FIRST_ENTRIES; ; entries *= 4) {
      const layout = this.#layout.reserve(entries * at.LAYOUT_ENTRY_SIZE);
      const capacity = Math.floor(this.#layout.capacity / at.LAYOUT_ENTRY_SIZE);
      const outcome = wasm.openHistograms(address, length, encoding, state, layout, capacity);
      if (outcome === 0) break;
      if (outcome !== at.OPEN_NEEDS_ROOM) throw badChunk(encoding, length, outcome === at.OPEN_TOO_LARGE);
    }
    this.positive = arena.u32[(state + at.HISTOGRAM_POSITIVE) >>> 2]!;
    this.negative = arena.u32[(state + at.HISTOGRAM_NEGATIVE) >>> 2]!;
    const cells = at.PLAIN_CELLS + this.positive + this.negative;
    this.rowLength = 1 + cells;
    state = this.#state.grow(at.HISTOGRAM_CELLS + cells * at.CELL_SIZE, at.HISTOGRAM_CELLS);
    const { u8, u32, f64 } = arena;
    this.total = u32[(state + at.HISTOGRAM_TOTAL) >>> 2]!;
    this.header = u8[state + at.HISTOGRAM_HEADER]!;
    this.isFloat = u32[(state + at.HISTOGRAM_FLOAT) >>> 2] === 1;
    if (this.total * this.rowLength > MAX_ROW_VALUES) throw badChunk(encoding, length, true);
    if (this.total === 0) return;
    this.schema = u32[(state + at.HISTOGRAM_SCHEMA) >>> 2]! | 0;
    if (this.schema !== CUSTOM_BUCKETS_SCHEMA && (this.schema < MIN_SCHEMA || this.schema > MAX_SCHEMA)) {
      throw new PromletError('storage/bad-chunk', `histogram chunk of ${length} bytes: unknown schema ${this.schema}`);
    }
    this.zeroThreshold = f64[(state + at.HISTOGRAM_ZERO_THRESHOLD) / 8]!;
    const positiveSpans = u32[(state + at.HISTOGRAM_POSITIVE_SPANS) >>> 2]!;
    const negativeSpans = u32[(state + at.HISTOGRAM_NEGATIVE_SPANS) >>> 2]!;
    const customValues = u32[(state + at.HISTOGRAM_CUSTOM_VALUES) >>> 2]!;
    let entry = this.#layout.address;
    this.positiveSpans = this.#spans(entry, positiveSpans, this.positiveSpans);
    entry += positiveSpans * at.LAYOUT_ENTRY_SIZE;
    this.negativeSpans = this.#spans(entry, negativeSpans, this.negativeSpans);
    entry += negativeSpans * at.LAYOUT_ENTRY_SIZE;
    const bounds = f64.subarray(entry / 8, entry / 8 + customValues);
    if (!sameValues(this.customValues, bounds)) {
      this.customValues = customValues === 0 ? NO_VALUES : new Float64Array(bounds);
    }
  }

  /**
   * Reads the next samples, none before `minMs`, as rows to `rows`, which has room for `capacity` of them.
   * @returns how many; fewer than `capacity` only at the end
   * @throws PromletError `storage/bad-chunk`
   */
  next(minMs: number, rows: number, capacity: number): number {
    const count = this.#kernels.wasm.decodeHistograms(this.#state.address, minMs, rows, capacity);
    if (count < 0) {
      throw new PromletError(
        'storage/bad-chunk',
        `histogram chunk of ${this.total} samples: damaged near ${this.read}`,
      );
    }
    return count;
  }

  release(): void {
    this.#state.release();
    this.#layout.release();
  }

  /** The spans that lie at `entry`; `before`, when they are the same. */
  #spans(entry: number, count: number, before: readonly HistogramSpan[]): readonly HistogramSpan[] {
    const { u32 } = this.#kernels.arena;
    let same = before.length === count;
    for (let i = 0, word = entry >>> 2; same && i < count; i++, word += 2) {
      same = before[i]!.offset === (u32[word]! | 0) && before[i]!.length === u32[word + 1]!;
    }
    if (same) return before;
    const spans: HistogramSpan[] = [];
    for (let i = 0, word = entry >>> 2; i < count; i++, word += 2) {
      spans.push({ offset: u32[word]! | 0, length: u32[word + 1]! });
    }
    return spans;
  }
}

function badChunk(encoding: Encoding, length: number, tooLarge: boolean): PromletError {
  const what = tooLarge
    ? `more than ${at.MAX_BUCKETS} buckets, ${at.MAX_LAYOUT_ENTRIES} spans or ${MAX_ROW_VALUES} numbers`
    : 'damaged layout';
  return new PromletError('storage/bad-chunk', `chunk of encoding ${encoding}, ${length} bytes: ${what}`);
}
