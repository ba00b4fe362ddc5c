import type { KernelExports, Kernels } from '../../kernels/index.ts';
import { SampleColumns } from '../../model/index.ts';

/** The most that one query keeps here; what is beyond lies on the heap, where no kernel reaches it. */
const MAX_HELD_BYTES = 32 << 20;
/** Samples that there is room for from the beginning. */
const MIN_CAPACITY = 256;

/**
 * Columns where kernels reach them, of one query: in linear memory, outside of the heap. They are the query's until `close`.
 * Kernels take a column by the `byteOffset` of its view.
 */
export class ColumnMemory {
  readonly wasm: KernelExports;
  readonly #kernels: Kernels;
  /** Bytes by address. */
  readonly #blocks = new Map<number, number>();
  #heldBytes = 0;
  #scratch = 0;
  #scratchBytes = 0;

  /** @param kernels the thread's own: their arena is allocated from */
  constructor(kernels: Kernels) {
    this.#kernels = kernels;
    this.wasm = kernels.wasm;
  }

  /** Zeros; undefined when there is no room. */
  floats(count: number): Float64Array | undefined {
    const address = this.#take(8 * count);
    if (address === undefined) return undefined;
    this.wasm.clearBytes(address, 8 * count);
    return new Float64Array(this.#kernels.arena.memory.buffer, address, count);
  }

  /** Zeros; undefined when there is no room. */
  flags(count: number): Uint8Array | undefined {
    const address = this.#take(count);
    if (address === undefined) return undefined;
    this.wasm.clearBytes(address, count);
    return new Uint8Array(this.#kernels.arena.memory.buffer, address, count);
  }

  /** Makes zeros of a column that lies here. */
  clear({ byteOffset, byteLength }: Float64Array | Uint8Array): void {
    this.wasm.clearBytes(byteOffset, byteLength);
  }

  /** The address of so many bytes, to be written over by whoever asks next. */
  scratch(bytes: number): number {
    if (bytes > this.#scratchBytes) {
      if (this.#scratchBytes > 0) this.#kernels.arena.free(this.#scratch, this.#scratchBytes);
      this.#scratchBytes = 0;
      this.#scratch = this.#kernels.arena.allocate(bytes);
      this.#scratchBytes = bytes;
    }
    return this.#scratch;
  }

  /** Gives one column back, that is not looked at any more. */
  release(column: Float64Array | Uint8Array): void {
    const bytes = this.#blocks.get(column.byteOffset);
    if (bytes === undefined || !(column.buffer instanceof SharedArrayBuffer)) return;
    this.#blocks.delete(column.byteOffset);
    this.#kernels.arena.free(column.byteOffset, bytes);
    this.#heldBytes -= bytes;
  }

  close(): void {
    for (const [address, bytes] of this.#blocks) this.#kernels.arena.free(address, bytes);
    this.#blocks.clear();
    if (this.#scratchBytes > 0) this.#kernels.arena.free(this.#scratch, this.#scratchBytes);
    this.#scratchBytes = 0;
    this.#heldBytes = 0;
  }

  #take(bytes: number): number | undefined {
    if (this.#heldBytes + bytes > MAX_HELD_BYTES) return undefined;
    const address = this.#kernels.arena.allocate(bytes);
    this.#blocks.set(address, bytes);
    this.#heldBytes += bytes;
    return address;
  }
}

/** Samples of one series, in column memory while it has room. */
export class ReachableSamples extends SampleColumns {
  readonly #memory: ColumnMemory;
  #isReachable = false;

  constructor(memory: ColumnMemory) {
    super();
    this.#memory = memory;
    this.#move(MIN_CAPACITY);
  }

  /** Where timestamps and values lie, if kernels reach them. */
  get memory(): ColumnMemory | undefined {
    return this.#isReachable ? this.#memory : undefined;
  }

  override reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed > this.timestamps.length) this.#move(Math.max(needed, 2 * this.timestamps.length));
    if (this.starts !== undefined && this.starts.length < this.timestamps.length) {
      const starts = new Float64Array(this.timestamps.length);
      starts.set(this.starts.subarray(0, this.length));
      this.starts = starts;
    }
  }

  #move(capacity: number): void {
    const { timestamps, values, length } = this;
    const memory = this.#memory;
    const newTimes = memory.floats(capacity);
    const newValues = memory.floats(capacity);
    this.#isReachable = newTimes !== undefined && newValues !== undefined;
    this.timestamps = newTimes ?? new Float64Array(capacity);
    this.values = newValues ?? new Float64Array(capacity);
    this.timestamps.set(timestamps.subarray(0, length));
    this.values.set(values.subarray(0, length));
    memory.release(timestamps);
    memory.release(values);
  }
}
