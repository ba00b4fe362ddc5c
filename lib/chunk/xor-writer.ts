import { type Kernels, layout, Scratch } from '../kernels/index.ts';
import { assert } from '../model/index.ts';

/** Bytes of a chunk before its samples, and what kernels may write behind it. */
const FRAME_BYTES = 2 + layout.CHUNK_SLACK;
/** Samples that a chunk's header can count. */
const MAX_SAMPLES = 0xffff;
const WINDOW_BYTES = 16;

/** Encodes plain columns as XOR chunks (tsdb/chunkenc/xor.go). */
export class XorChunkWriter {
  readonly #kernels: Kernels;
  readonly #scratch: Scratch;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
    this.#scratch = new Scratch(kernels.arena);
  }

  /** @returns samples [from, to) of the columns as one chunk, in memory of its own; times rise */
  encode(timestamps: Float64Array, values: Float64Array, from: number, to: number): Uint8Array {
    const count = to - from;
    assert(count > 0 && count <= MAX_SAMPLES, `xor chunk of ${count} samples`);
    const { arena, wasm } = this.#kernels;
    const outBytes = FRAME_BYTES + count * layout.MAX_SAMPLE_BYTES;
    const times = this.#scratch.reserve(WINDOW_BYTES + count * 16 + outBytes) + WINDOW_BYTES;
    const { u8, f64 } = arena;
    f64.set(timestamps.subarray(from, to), times / 8);
    f64.set(values.subarray(from, to), times / 8 + count);
    const out = times + count * 16;
    const length = wasm.encodeXor(times, times + count * 8, count, out, times - WINDOW_BYTES);
    return u8.slice(out, out + length);
  }

  release(): void {
    this.#scratch.release();
  }
}
