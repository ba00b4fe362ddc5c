import { type Kernels, layout } from '../kernels/index.ts';
import { assert, type SampleColumns } from '../model/index.ts';

/** Takes one chunk; `data` is valid until the sink returns. */
export type ChunkSink = (minTimeMs: number, maxTimeMs: number, data: Uint8Array) => void;

/** The one series of the directory below. */
const REF = 1;
/** Samples handed to the kernel at a time. */
const BATCH = 1024;
/** Room for any chunk: it takes no more samples once it is above the limit, and then one more fits. */
const CAPACITY_BYTES = layout.MAX_CHUNK_BYTES_BEFORE_APPEND + layout.MAX_SAMPLE_BYTES + 1;

/**
 * Encodes samples into XOR chunks with the head's append kernel, on a private directory of one series: the same bytes and
 * the same cutting as in the head, and no second encoder to keep right.
 */
export class XorEncoder {
  readonly #kernels: Kernels;
  readonly #directory: number;
  readonly #record: number;
  readonly #block: number;
  readonly #refs: number;
  readonly #times: number;
  readonly #values: number;
  readonly #tally: number;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
    const { arena } = kernels;
    this.#directory = arena.allocate(4);
    const page = arena.allocate((REF + 1) * layout.SERIES_SIZE);
    this.#record = page + REF * layout.SERIES_SIZE;
    this.#block = arena.allocate(layout.CHUNK_DATA + CAPACITY_BYTES + layout.CHUNK_SLACK);
    this.#refs = arena.allocate(BATCH * 4);
    this.#times = arena.allocate(BATCH * 8);
    this.#values = arena.allocate(BATCH * 8);
    this.#tally = arena.allocate(layout.TALLY_SIZE);
    arena.u32[this.#directory >> 2] = page;
    arena.u32.fill(REF, this.#refs >> 2, (this.#refs >> 2) + BATCH);
  }

  /** @param samples floats only, rising in time */
  encode(samples: SampleColumns, sink: ChunkSink): void {
    assert(samples.histograms === undefined, 'xor encoder: a histogram among floats');
    const { arena, wasm } = this.#kernels;
    const { timestamps, values, length } = samples;
    if (length === 0) return;
    this.#startSeries();
    this.#startChunk();
    let chunkStart = 0;
    for (let from = 0; from < length; from += BATCH) {
      const count = Math.min(BATCH, length - from);
      arena.f64.set(timestamps.subarray(from, from + count), this.#times >> 3);
      arena.f64.set(values.subarray(from, from + count), this.#values >> 3);
      for (let done = 0; done < count;) {
        const stop = wasm.appendBatch(
          this.#directory,
          1,
          this.#refs,
          this.#times,
          this.#values,
          done,
          count,
          this.#tally,
        );
        done = stop >>> layout.APPEND_OUTCOME_BITS;
        if (done === count) break;
        const outcome = stop & ((1 << layout.APPEND_OUTCOME_BITS) - 1);
        assert(outcome === layout.APPEND_NEEDS_CHUNK, `xor encoder: outcome ${outcome}`);
        this.#finishChunk(timestamps, chunkStart, from + done, sink);
        this.#startChunk();
        chunkStart = from + done;
      }
    }
    this.#finishChunk(timestamps, chunkStart, length, sink);
  }

  #startSeries(): void {
    const view = new DataView(this.#kernels.arena.memory.buffer, this.#record, layout.SERIES_SIZE);
    view.setInt32(layout.SERIES_LAST_TIME, 0, true);
    view.setInt32(layout.SERIES_LAST_TIME + 4, -0x8000_0000, true);
    view.setUint32(layout.SERIES_LABELS, 1, true);
  }

  #startChunk(): void {
    const { arena } = this.#kernels;
    const view = new DataView(arena.memory.buffer, this.#record, layout.SERIES_SIZE);
    // No end of its own: a quarter of the way the kernel estimates one for about 120 samples.
    view.setInt32(layout.SERIES_NEXT_AT, -1, true);
    view.setInt32(layout.SERIES_NEXT_AT + 4, 0x0fff_ffff, true);
    view.setUint32(layout.SERIES_CHUNK, this.#block, true);
    view.setUint32(layout.SERIES_CHUNK_BITS, 16, true);
    view.setUint32(layout.SERIES_CHUNK_CAPACITY, CAPACITY_BYTES, true);
    view.setUint16(layout.SERIES_CHUNK_SAMPLES, 0, true);
    view.setUint8(layout.SERIES_LEADING, 0xff);
    view.setUint8(layout.SERIES_TRAILING, 0);
  }

  /** Hands over the open chunk, which holds samples [start, end). */
  #finishChunk(timestamps: Float64Array, start: number, end: number, sink: ChunkSink): void {
    const { arena } = this.#kernels;
    const bits = arena.u32[(this.#record + layout.SERIES_CHUNK_BITS) >> 2]!;
    const data = this.#block + layout.CHUNK_DATA;
    const header = arena.u8;
    assert(((header[data]! << 8) | header[data + 1]!) === end - start, 'xor encoder: samples did not rise in time');
    sink(timestamps[start]!, timestamps[end - 1]!, arena.u8.subarray(data, data + ((bits + 7) >> 3)));
  }
}
