import { type Kernels, Scratch } from '../kernels/index.ts';
import { type FloatHistogram, isStaleNaN, PromletError, type SampleColumns, STALE_NAN } from '../model/index.ts';
import { appendSamples } from './append-samples.ts';
import { Encoding, MAX_CHUNK_BYTES, sampleCount } from './chunk.ts';
import { counterResetHint } from './counter-reset.ts';
import { HistogramReader } from './histogram-reader.ts';
import { atKnownResolution } from './reduce-resolution.ts';

// Places in a row of f64.
const COUNT = 1;
const ZERO_COUNT = 2;
const SUM = 3;
const BUCKETS = 4;

/** Numbers in the rows that are decoded at a time; they are then copied out in one piece. */
const BATCH_VALUES = 1 << 13;

const NO_BUCKETS = new Float64Array(0);

/** What Prometheus makes of a stale marker in a histogram chunk: everything but the sum is empty. */
const STALE_FLOATS: FloatHistogram = {
  counterResetHint: 'unknown',
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 0,
  sum: STALE_NAN,
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: NO_BUCKETS,
  negativeBuckets: NO_BUCKETS,
  customValues: NO_BUCKETS,
};
const STALE_INTEGERS: FloatHistogram = { integer: true, ...STALE_FLOATS };

/** Decodes chunks of every encoding. Keeps scratch memory of the arena, so it belongs to the thread that allocates there. */
export class ChunkDecoder {
  readonly #kernels: Kernels;
  readonly #bytes: Scratch;
  readonly #columns: Scratch;
  readonly #rows: Scratch;
  readonly #reader: HistogramReader;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
    this.#bytes = new Scratch(kernels.arena);
    this.#columns = new Scratch(kernels.arena);
    this.#rows = new Scratch(kernels.arena);
    this.#reader = new HistogramReader(kernels);
  }

  /**
   * Appends the samples within [minMs, maxMs] to `into`. Bytes that lie in the arena are read in place. Histograms share
   * the spans of their chunk, and their buckets one buffer per few thousand: none of it is to be written to.
   * @throws PromletError `storage/bad-chunk`: `into` may hold some of the samples
   */
  decode(encoding: Encoding, bytes: Uint8Array, minMs: number, maxMs: number, into: SampleColumns): void {
    if (bytes.length > MAX_CHUNK_BYTES) {
      throw new PromletError('storage/bad-chunk', `chunk of ${bytes.length} bytes: above ${MAX_CHUNK_BYTES}`);
    }
    const address = this.#place(bytes);
    switch (encoding) {
      case Encoding.xor:
      case Encoding.xor2:
        return this.#decodeFloats(encoding, address, bytes, minMs, maxMs, into);
      case Encoding.histogram:
      case Encoding.floatHistogram:
      case Encoding.histogramSt:
      case Encoding.floatHistogramSt:
        return this.#decodeHistograms(encoding, address, bytes.length, minMs, maxMs, into);
      default:
        throw new PromletError('storage/bad-chunk', `chunk of unknown encoding ${String(encoding)}`);
    }
  }

  /** Gives the scratch memory back; it is taken again when needed. */
  release(): void {
    this.#bytes.release();
    this.#columns.release();
    this.#rows.release();
    this.#reader.release();
  }

  #place(bytes: Uint8Array): number {
    const { arena } = this.#kernels;
    if (bytes.buffer === arena.u8.buffer) return bytes.byteOffset;
    const address = this.#bytes.reserve(bytes.length);
    arena.u8.set(bytes, address);
    return address;
  }

  #decodeFloats(
    encoding: typeof Encoding.xor | typeof Encoding.xor2,
    address: number,
    bytes: Uint8Array,
    minMs: number,
    maxMs: number,
    into: SampleColumns,
  ): void {
    const { arena, wasm } = this.#kernels;
    const { length } = bytes;
    // A sample takes at least one bit, so nothing is allocated for a count that cannot be.
    const capacity = Math.min(sampleCount(encoding, bytes), length * 8);
    const times = this.#columns.reserve(capacity * 16 + 24);
    const values = times + capacity * 8;
    const count =
      encoding === Encoding.xor
        ? wasm.decodeXorWithin(address, length, minMs, maxMs, times, values, capacity)
        : wasm.decodeXor2(address, length, times, values, capacity, values + capacity * 8);
    if (count < 0) {
      throw new PromletError('storage/bad-chunk', `chunk of encoding ${encoding}, ${length} bytes: damaged`);
    }
    const { f64 } = arena;
    const first = times / 8;
    let from = 0;
    let to = count;
    while (from < to && f64[first + from]! < minMs) from++;
    while (to > from && f64[first + to - 1]! > maxMs) to--;
    appendSamples(this.#kernels, times + 8 * from, values + 8 * from, to - from, into);
  }

  #decodeHistograms(
    encoding: Encoding,
    address: number,
    length: number,
    minMs: number,
    maxMs: number,
    into: SampleColumns,
  ): void {
    const reader = this.#reader;
    reader.open(encoding, address, length);
    if (reader.total === 0) return;
    const { rowLength } = reader;
    const capacity = Math.min(reader.total, Math.max(1, Math.floor(BATCH_VALUES / rowLength)));
    const rows = this.#rows.reserve(capacity * rowLength * 8);
    let count = capacity;
    while (count === capacity) {
      count = reader.next(minMs, rows, capacity);
      const values = this.#kernels.arena.f64.slice(rows / 8, rows / 8 + count * rowLength);
      const first = reader.read - count;
      for (let i = 0, row = 0; i < count; i++, row += rowLength) {
        const timeMs = values[row]!;
        if (timeMs > maxMs) return;
        into.pushHistogram(timeMs, this.#histogram(values, row, first + i));
      }
    }
  }

  /** The histogram in a row, sample `index` of the chunk. */
  #histogram(values: Float64Array, row: number, index: number): FloatHistogram {
    const reader = this.#reader;
    const { isFloat, positive, negative } = reader;
    const sum = values[row + SUM]!;
    if (isStaleNaN(sum)) return isFloat ? STALE_FLOATS : STALE_INTEGERS;
    const buckets = values.byteOffset + (row + BUCKETS) * 8;
    const histogram: FloatHistogram = {
      counterResetHint: counterResetHint(reader.header, index),
      schema: reader.schema,
      zeroThreshold: reader.zeroThreshold,
      zeroCount: values[row + ZERO_COUNT]!,
      count: values[row + COUNT]!,
      sum,
      positiveSpans: reader.positiveSpans,
      negativeSpans: reader.negativeSpans,
      positiveBuckets: positive === 0 ? NO_BUCKETS : new Float64Array(values.buffer, buckets, positive),
      negativeBuckets: negative === 0 ? NO_BUCKETS : new Float64Array(values.buffer, buckets + positive * 8, negative),
      customValues: reader.customValues,
    };
    const known = atKnownResolution(histogram);
    return isFloat ? known : { ...known, integer: true };
  }
}
