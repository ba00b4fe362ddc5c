import { type Kernels, layout, type SharedArena } from '../../kernels/index.ts';
import { assert } from '../../model/index.ts';

const {
  SERIES_CHUNK,
  SERIES_CHUNK_BITS,
  SERIES_CHUNK_CAPACITY,
  SERIES_CHUNK_MIN_TIME,
  SERIES_CHUNK_SAMPLES,
  SERIES_DELTA,
  SERIES_LABELS,
  SERIES_LAST_TIME,
  SERIES_LEADING,
  SERIES_NEXT_AT,
  SERIES_OLDER_CHUNK,
  SERIES_PAGE_BITS,
  SERIES_PAGE_COUNT,
  SERIES_SIZE,
  SERIES_TRAILING,
  CHUNK_DATA,
  CHUNK_LENGTH,
  CHUNK_MAX_TIME,
  CHUNK_MIN_TIME,
  CHUNK_OLDER,
  CHUNK_SLACK,
  MAX_SAMPLE_BYTES,
} = layout;

const PAGE_BYTES = SERIES_PAGE_COUNT * SERIES_SIZE;
/** Data bytes of a fresh chunk: with header and slack a block of 96; holds a whole chunk of a constant series. */
const FIRST_CHUNK_DATA_BYTES = 64;
/** Bytes of the sample count that a chunk begins with. */
const CHUNK_COUNT_BYTES = 2;
const TWO_32 = 4_294_967_296;

/** One chunk of a series, where it lies in the arena. */
export interface ChunkPlace {
  /** Address of its bytes as Prometheus stores them. */
  data: number;
  lengthBytes: number;
  minTimeMs: number;
  maxTimeMs: number;
}

/**
 * The series records (layout.ts) and their chunks in the shared arena. Knows nothing of labels but the address where
 * their ids lie.
 *
 *     directory ─▶ page ─▶ record ─┬▶ open chunk (grows from block to block)
 *                                  ├▶ newest completed chunk ─▶ older ─▶ … ─▶ 0
 *                                  └▶ label pair ids
 */
export class SeriesTable {
  readonly #arena: SharedArena;
  readonly #blockDurationMs: number;
  #directory: number;
  /** Entries the directory has room for; those without a page are 0. */
  #pageCapacity = 64;
  chunks = 0;

  constructor(kernels: Kernels, blockDurationMs: number) {
    this.#arena = kernels.arena;
    this.#blockDurationMs = blockDurationMs;
    this.#directory = this.#newDirectory(this.#pageCapacity);
  }

  /** For kernels: the address of the directory and how many pages it spans. */
  get directory(): number {
    return this.#directory;
  }

  get pageCount(): number {
    return this.#pageCapacity;
  }

  /** The address of the record of `ref`, 0 when there is no such series. */
  record(ref: number): number {
    const page = ref >>> SERIES_PAGE_BITS;
    if (page >= this.#pageCapacity) return 0;
    const { u32 } = this.#arena;
    const base = u32[(this.#directory + page * 4) >>> 2]!;
    if (base === 0) return 0;
    const record = base + (ref & (SERIES_PAGE_COUNT - 1)) * SERIES_SIZE;
    return u32[(record + SERIES_LABELS) >>> 2] === 0 ? 0 : record;
  }

  /** Makes the record of a series without samples. `labels` is the address of its label pair ids, not 0. */
  create(ref: number, labels: number): void {
    const page = ref >>> SERIES_PAGE_BITS;
    if (page >= this.#pageCapacity) this.#growDirectory(page + 1);
    const entry = (this.#directory + page * 4) >>> 2;
    let base = this.#arena.u32[entry]!;
    if (base === 0) {
      base = this.#arena.allocate(PAGE_BYTES);
      this.#arena.u8.fill(0, base, base + PAGE_BYTES);
      this.#arena.u32[entry] = base;
    }
    const record = base + (ref & (SERIES_PAGE_COUNT - 1)) * SERIES_SIZE;
    const { u8, u32 } = this.#arena;
    assert(u32[(record + SERIES_LABELS) >>> 2] === 0, 'series table: ref taken');
    u32[(record + SERIES_LABELS) >>> 2] = labels;
    // i64.min
    u32[(record + SERIES_LAST_TIME) >>> 2] = 0;
    u32[(record + SERIES_LAST_TIME + 4) >>> 2] = 0x8000_0000;
    u8[record + SERIES_LEADING] = 0xff;
  }

  labels(record: number): number {
    return this.#arena.u32[(record + SERIES_LABELS) >>> 2]!;
  }

  /** Moves the open chunk to the next larger block. */
  growChunk(record: number): void {
    const oldBlock = this.#word(record, SERIES_CHUNK);
    const oldCapacity = this.#word(record, SERIES_CHUNK_CAPACITY);
    const used = CHUNK_DATA + chunkBytes(this.#word(record, SERIES_CHUNK_BITS));
    const block = this.#allocateChunk(record, oldCapacity + MAX_SAMPLE_BYTES);
    this.#arena.u8.copyWithin(block, oldBlock, oldBlock + used);
    this.#arena.free(oldBlock, blockBytes(oldCapacity));
  }

  /** Completes the open chunk, if there is one, and opens an empty one whose first sample will be at `timeMs`. */
  cutChunk(record: number, timeMs: number): void {
    if (this.#word(record, SERIES_CHUNK) !== 0) this.#completeChunk(record);
    const block = this.#allocateChunk(record, FIRST_CHUNK_DATA_BYTES);
    const { u8, u32 } = this.#arena;
    u8[block + CHUNK_DATA] = 0;
    u8[block + CHUNK_DATA + 1] = 0;
    u32[(record + SERIES_CHUNK_BITS) >>> 2] = CHUNK_COUNT_BYTES * 8;
    u8[record + SERIES_CHUNK_SAMPLES] = 0;
    u8[record + SERIES_CHUNK_SAMPLES + 1] = 0;
    u8[record + SERIES_LEADING] = 0xff;
    u8[record + SERIES_TRAILING] = 0;
    this.#storeTime(record + SERIES_DELTA, 0);
    this.#storeTime(record + SERIES_CHUNK_MIN_TIME, timeMs);
    // rangeForTimestamp of tsdb/db.go; Go divides towards zero.
    const width = this.#blockDurationMs;
    this.#storeTime(record + SERIES_NEXT_AT, Math.trunc(timeMs / width) * width + width);
    this.chunks++;
  }

  /** Whether a chunk of the series overlaps [minMs, maxMs]. */
  hasSamples(ref: number, minMs: number, maxMs: number): boolean {
    const record = this.record(ref);
    if (record === 0) return false;
    const { u32, f64 } = this.#arena;
    if (this.#word(record, SERIES_CHUNK) !== 0) {
      if (this.#time(record + SERIES_LAST_TIME) < minMs) return false;
      if (this.#time(record + SERIES_CHUNK_MIN_TIME) <= maxMs) return true;
    }
    for (let block = this.#word(record, SERIES_OLDER_CHUNK); block !== 0; block = u32[(block + CHUNK_OLDER) >>> 2]!) {
      if (f64[(block + CHUNK_MAX_TIME) / 8]! < minMs) return false;
      if (f64[(block + CHUNK_MIN_TIME) / 8]! <= maxMs) return true;
    }
    return false;
  }

  /** The chunks of a series that overlap [minMs, maxMs], oldest first, into `out`. @returns how many */
  chunkPlaces(record: number, minMs: number, maxMs: number, out: ChunkPlace[]): number {
    const { u32, f64 } = this.#arena;
    let count = 0;
    const open = this.#word(record, SERIES_CHUNK);
    if (open !== 0) {
      const minTimeMs = this.#time(record + SERIES_CHUNK_MIN_TIME);
      const maxTimeMs = this.#time(record + SERIES_LAST_TIME);
      if (minTimeMs <= maxMs && maxTimeMs >= minMs) {
        const place = (out[count++] ??= { data: 0, lengthBytes: 0, minTimeMs: 0, maxTimeMs: 0 });
        place.data = open + CHUNK_DATA;
        place.lengthBytes = chunkBytes(this.#word(record, SERIES_CHUNK_BITS));
        place.minTimeMs = minTimeMs;
        place.maxTimeMs = maxTimeMs;
      }
    }
    let block = this.#word(record, SERIES_OLDER_CHUNK);
    while (block !== 0) {
      const minTimeMs = f64[(block + CHUNK_MIN_TIME) / 8]!;
      const maxTimeMs = f64[(block + CHUNK_MAX_TIME) / 8]!;
      if (maxTimeMs < minMs) break;
      if (minTimeMs <= maxMs) {
        const place = (out[count++] ??= { data: 0, lengthBytes: 0, minTimeMs: 0, maxTimeMs: 0 });
        place.data = block + CHUNK_DATA;
        place.lengthBytes = u32[(block + CHUNK_LENGTH) >>> 2]!;
        place.minTimeMs = minTimeMs;
        place.maxTimeMs = maxTimeMs;
      }
      block = u32[(block + CHUNK_OLDER) >>> 2]!;
    }
    for (let i = 0, j = count - 1; i < j; i++, j--) [out[i], out[j]] = [out[j]!, out[i]!];
    return count;
  }

  /** Gives the open chunk its header, moves it to the smallest block that holds it, and puts it before the older ones. */
  #completeChunk(record: number): void {
    let block = this.#word(record, SERIES_CHUNK);
    const capacity = this.#word(record, SERIES_CHUNK_CAPACITY);
    const length = chunkBytes(this.#word(record, SERIES_CHUNK_BITS));
    const arena = this.#arena;
    if (arena.capacityOf(blockBytes(length)) < arena.capacityOf(blockBytes(capacity))) {
      const smaller = arena.allocate(blockBytes(length));
      arena.u8.copyWithin(smaller, block, block + CHUNK_DATA + length);
      arena.free(block, blockBytes(capacity));
      block = smaller;
    }
    const { u32, f64 } = arena;
    u32[(block + CHUNK_OLDER) >>> 2] = this.#word(record, SERIES_OLDER_CHUNK);
    u32[(block + CHUNK_LENGTH) >>> 2] = length;
    f64[(block + CHUNK_MIN_TIME) / 8] = this.#time(record + SERIES_CHUNK_MIN_TIME);
    f64[(block + CHUNK_MAX_TIME) / 8] = this.#time(record + SERIES_LAST_TIME);
    u32[(record + SERIES_OLDER_CHUNK) >>> 2] = block;
    u32[(record + SERIES_CHUNK) >>> 2] = 0;
  }

  #allocateChunk(record: number, dataBytes: number): number {
    const arena = this.#arena;
    const sizeBytes = arena.capacityOf(blockBytes(dataBytes));
    const block = arena.allocate(sizeBytes);
    arena.u32[(record + SERIES_CHUNK) >>> 2] = block;
    arena.u32[(record + SERIES_CHUNK_CAPACITY) >>> 2] = sizeBytes - CHUNK_DATA - CHUNK_SLACK;
    return block;
  }

  #word(record: number, offset: number): number {
    return this.#arena.u32[(record + offset) >>> 2]!;
  }

  /** An i64 of milliseconds as a number; i64.min reads as -2^63. */
  #time(address: number): number {
    const { u32 } = this.#arena;
    return (u32[(address >>> 2) + 1]! | 0) * TWO_32 + u32[address >>> 2]!;
  }

  #storeTime(address: number, timeMs: number): void {
    const { u32 } = this.#arena;
    const high = Math.floor(timeMs / TWO_32);
    u32[address >>> 2] = timeMs - high * TWO_32;
    u32[(address >>> 2) + 1] = high;
  }

  #newDirectory(capacity: number): number {
    const address = this.#arena.allocate(capacity * 4);
    this.#arena.u8.fill(0, address, address + capacity * 4);
    return address;
  }

  #growDirectory(pages: number): void {
    const capacity = Math.max(pages, this.#pageCapacity * 2);
    const old = this.#directory;
    const directory = this.#newDirectory(capacity);
    this.#arena.u8.copyWithin(directory, old, old + this.#pageCapacity * 4);
    this.#arena.free(old, this.#pageCapacity * 4);
    this.#directory = directory;
    this.#pageCapacity = capacity;
  }
}

function chunkBytes(bits: number): number {
  return (bits + 7) >>> 3;
}

function blockBytes(dataBytes: number): number {
  return CHUNK_DATA + dataBytes + CHUNK_SLACK;
}
