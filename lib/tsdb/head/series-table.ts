import { layout, type SharedArena } from '../../kernels/index.ts';
import { assert } from '../../model/index.ts';
import { type Chunk, Encoding } from '../../chunk/index.ts';
import { type ChunkFilePlace, freeChunk, isMapped, storeMappedChunk } from './chunk-block.ts';
import type { HeadRoot } from './head-root.ts';
import { SeriesReader } from './series-reader.ts';

const {
  CHUNK_DATA,
  CHUNK_LENGTH,
  CHUNK_LENGTH_BITS,
  CHUNK_MAX_TIME,
  CHUNK_MIN_TIME,
  CHUNK_OLDER,
  CHUNK_SLACK,
  HEAD_DIRECTORY,
  HEAD_PAGE_COUNT,
  MAX_SAMPLE_BYTES,
  NO_XOR_WINDOW,
  OPEN_CHUNK_ENCODING,
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
} = layout;

const PAGE_BYTES = SERIES_PAGE_COUNT * SERIES_SIZE;
const FIRST_PAGE_CAPACITY = 64;
/** Data bytes of a fresh chunk: with header and slack a block of 96; holds a whole chunk of a constant series. */
const FIRST_CHUNK_DATA_BYTES = 64;
/** Bytes of the sample count that a chunk begins with. */
const CHUNK_COUNT_BYTES = 2;
const TWO_32 = 4_294_967_296;
const LENGTH_MASK = 2 ** CHUNK_LENGTH_BITS - 1;

/**
 * The writer's side of the series records (layout.ts) and their chunks. Knows nothing of labels but the address where they
 * lie. Everything here belongs into a write section of the root.
 *
 *     directory ─▶ page ─▶ record ─┬▶ open chunk (grows from block to block)
 *                                  ├▶ newest completed chunk ─▶ older ─▶ … ─▶ 0, the older of them mapped
 *                                  └▶ labels
 */
export class SeriesTable extends SeriesReader {
  readonly #arena: SharedArena;
  readonly #blockDurationMs: number;
  /** Series per page; a page without any is freed. */
  readonly #pageUse: number[] = [];
  /** Refs of series with completed chunks that are not mapped; each once, in the order of their first such chunk. */
  #unmapped: number[] = [];
  /** Chunks in the head, mapped ones included; and of all since the start. */
  chunks = 0;
  chunksCreated = 0;

  constructor(arena: SharedArena, root: HeadRoot, blockDurationMs: number) {
    super(arena, root.address, () => {});
    this.#arena = arena;
    this.#blockDurationMs = blockDurationMs;
    this.#setDirectory(this.#newDirectory(FIRST_PAGE_CAPACITY), FIRST_PAGE_CAPACITY);
  }

  /** For kernels: the address of the directory and how many pages it spans. */
  get directory(): number {
    return this.#arena.u32[(this.root + HEAD_DIRECTORY) >>> 2]!;
  }

  get pageCount(): number {
    return this.#arena.u32[(this.root + HEAD_PAGE_COUNT) >>> 2]!;
  }

  /** Whether page `page` of the directory has a series. */
  hasPage(page: number): boolean {
    return this.#arena.u32[(this.directory + page * 4) >>> 2] !== 0;
  }

  /** Makes the record of a series without samples. `labels` is the address of its labels, not 0. */
  create(ref: number, labels: number): void {
    const page = ref >>> SERIES_PAGE_BITS;
    if (page >= this.pageCount) this.#growDirectory(page + 1);
    const entry = (this.directory + page * 4) >>> 2;
    let base = this.#arena.u32[entry]!;
    if (base === 0) {
      base = this.#arena.allocate(PAGE_BYTES);
      this.#arena.u8.fill(0, base, base + PAGE_BYTES);
      this.#arena.u32[entry] = base;
    }
    this.#pageUse[page] = (this.#pageUse[page] ?? 0) + 1;
    const record = base + (ref & (SERIES_PAGE_COUNT - 1)) * SERIES_SIZE;
    const { u8, u32 } = this.#arena;
    assert(u32[(record + SERIES_LABELS) >>> 2] === 0, 'series table: ref taken');
    u32[(record + SERIES_LABELS) >>> 2] = labels;
    // i64.min
    u32[(record + SERIES_LAST_TIME) >>> 2] = 0;
    u32[(record + SERIES_LAST_TIME + 4) >>> 2] = 0x8000_0000;
    u8[record + SERIES_LEADING] = NO_XOR_WINDOW;
  }

  /** Takes out the record of a series that has no chunks; its labels are the caller's to free. */
  remove(ref: number): void {
    const record = this.record(ref);
    assert(record !== 0 && !this.hasChunks(record), 'series table: only series without chunks are removed');
    const page = ref >>> SERIES_PAGE_BITS;
    if (--this.#pageUse[page]! > 0) {
      this.#arena.u8.fill(0, record, record + SERIES_SIZE);
      return;
    }
    const entry = (this.directory + page * 4) >>> 2;
    this.#arena.free(this.#arena.u32[entry]!, PAGE_BYTES);
    this.#arena.u32[entry] = 0;
  }

  /** Moves the open chunk to the next larger block, with room for `extraBytes` more. */
  growChunk(record: number, extraBytes = MAX_SAMPLE_BYTES): void {
    const oldBlock = this.#word(record, SERIES_CHUNK);
    const oldCapacity = this.#word(record, SERIES_CHUNK_CAPACITY);
    const used = CHUNK_DATA + chunkBytes(this.#word(record, SERIES_CHUNK_BITS));
    const block = this.#allocateChunk(record, oldCapacity + extraBytes);
    const { u32 } = this.#arena;
    const to = block >>> 2;
    const from = oldBlock >>> 2;
    // Some dozen words: for so few `copyWithin`, a call of C++, is slower.
    for (let i = 0; i < (used + 3) >>> 2; i++) u32[to + i] = u32[from + i]!;
    this.#arena.free(oldBlock, blockBytes(oldCapacity));
  }

  /**
   * Completes the open chunk, if there is one, and opens an empty one whose first sample will be at `timeMs`. An XOR chunk
   * is filled by the kernel; of another encoding only the sample count, 0, is there.
   */
  cutChunk(ref: number, timeMs: number, encoding: Encoding = Encoding.xor): void {
    const record = this.record(ref);
    if (this.#word(record, SERIES_CHUNK) !== 0) this.#completeChunk(ref, record);
    const block = this.#allocateChunk(record, FIRST_CHUNK_DATA_BYTES);
    const { u8, u32 } = this.#arena;
    u8[block + CHUNK_DATA] = 0;
    u8[block + CHUNK_DATA + 1] = 0;
    u32[(record + SERIES_CHUNK_BITS) >>> 2] = CHUNK_COUNT_BYTES * 8;
    u8[record + SERIES_CHUNK_SAMPLES] = 0;
    u8[record + SERIES_CHUNK_SAMPLES + 1] = 0;
    u8[record + SERIES_LEADING] = encoding === Encoding.xor ? NO_XOR_WINDOW : OPEN_CHUNK_ENCODING + encoding;
    u8[record + SERIES_TRAILING] = 0;
    this.#storeTime(record + SERIES_DELTA, 0);
    this.#storeTime(record + SERIES_CHUNK_MIN_TIME, timeMs);
    // rangeForTimestamp of tsdb/db.go; Go divides towards zero.
    const width = this.#blockDurationMs;
    this.#storeTime(record + SERIES_NEXT_AT, Math.trunc(timeMs / width) * width + width);
    this.#countChunk();
  }

  /** Completes the open chunk, if there is one; the next sample opens another. */
  closeChunk(ref: number): void {
    const record = this.record(ref);
    if (this.#word(record, SERIES_CHUNK) !== 0) this.#completeChunk(ref, record);
  }

  /**
   * Refs of the series that have completed chunks in memory, and the list is then empty: who takes them maps their chunks
   * or calls `keepUnmapped`.
   */
  takeUnmapped(): number[] {
    const refs = this.#unmapped;
    this.#unmapped = [];
    return refs;
  }

  /** Puts a series on the list again, whose completed chunks are still in memory. */
  keepUnmapped(ref: number): void {
    this.#unmapped.push(ref);
  }

  /** A completed chunk lies in a file now: its block is replaced by one that only says where. */
  mapChunk(ref: number, block: number, place: ChunkFilePlace): void {
    const arena = this.#arena;
    const { u32, f64 } = arena;
    let link = this.record(ref) + SERIES_OLDER_CHUNK;
    while (u32[link >>> 2] !== block) {
      link = u32[link >>> 2]! + CHUNK_OLDER;
      assert(link !== CHUNK_OLDER, 'series table: no such chunk');
    }
    assert(!isMapped(arena, block), 'series table: mapped twice');
    const encoding = (u32[(block + CHUNK_LENGTH) >>> 2]! >>> CHUNK_LENGTH_BITS) as Encoding;
    const minTimeMs = f64[(block + CHUNK_MIN_TIME) / 8]!;
    const maxTimeMs = f64[(block + CHUNK_MAX_TIME) / 8]!;
    const older = u32[(block + CHUNK_OLDER) >>> 2]!;
    const mapped = storeMappedChunk(arena, { encoding, minTimeMs, maxTimeMs }, place, older);
    arena.u32[link >>> 2] = mapped;
    freeChunk(arena, block);
  }

  /** At start-up: a chunk that lies in a file, newer than those the series has; the series has no open chunk yet. */
  addMappedChunk(ref: number, chunk: Omit<Chunk, 'bytes'>, place: ChunkFilePlace): void {
    const record = this.record(ref);
    assert(this.#word(record, SERIES_CHUNK) === 0, 'series table: a mapped chunk behind an open one');
    const block = storeMappedChunk(this.#arena, chunk, place, this.#word(record, SERIES_OLDER_CHUNK));
    this.#arena.u32[(record + SERIES_OLDER_CHUNK) >>> 2] = block;
    this.#storeTime(record + SERIES_LAST_TIME, chunk.maxTimeMs);
    this.#countChunk();
  }

  /**
   * As `addMappedChunk`, for a chunk that belongs between those that the series has.
   * @returns false when it overlaps one of them: nothing was done
   */
  insertMappedChunk(ref: number, chunk: Omit<Chunk, 'bytes'>, place: ChunkFilePlace): boolean {
    const record = this.record(ref);
    const { u32, f64 } = this.#arena;
    let newerMs = this.#word(record, SERIES_CHUNK) === 0 ? Infinity : this.time(record + SERIES_CHUNK_MIN_TIME);
    let link = record + SERIES_OLDER_CHUNK;
    let block = u32[link >>> 2]!;
    while (block !== 0 && f64[(block + CHUNK_MAX_TIME) / 8]! >= chunk.minTimeMs) {
      newerMs = f64[(block + CHUNK_MIN_TIME) / 8]!;
      link = block + CHUNK_OLDER;
      block = u32[link >>> 2]!;
    }
    if (chunk.maxTimeMs >= newerMs) return false;
    const inserted = storeMappedChunk(this.#arena, chunk, place, block);
    this.#arena.u32[link >>> 2] = inserted;
    this.#countChunk();
    return true;
  }

  /**
   * Frees the chunks of a series whose samples are all before `minMs` (`truncateChunksBefore` of tsdb/head.go).
   * @returns how many
   */
  truncateChunks(record: number, minMs: number): number {
    const { u32, f64 } = this.#arena;
    let freed = 0;
    let link = record + SERIES_OLDER_CHUNK;
    let block = u32[link >>> 2]!;
    while (block !== 0 && f64[(block + CHUNK_MAX_TIME) / 8]! >= minMs) {
      link = block + CHUNK_OLDER;
      block = u32[link >>> 2]!;
    }
    u32[link >>> 2] = 0;
    for (; block !== 0; freed++) {
      const older = u32[(block + CHUNK_OLDER) >>> 2]!;
      freeChunk(this.#arena, block);
      block = older;
    }
    const open = this.#word(record, SERIES_CHUNK);
    if (open !== 0 && this.lastTimeMs(record) < minMs) {
      this.#arena.free(open, blockBytes(this.#word(record, SERIES_CHUNK_CAPACITY)));
      u32[(record + SERIES_CHUNK) >>> 2] = 0;
      freed++;
    }
    this.chunks -= freed;
    return freed;
  }

  #countChunk(): void {
    this.chunks++;
    this.chunksCreated++;
  }

  /** Gives the open chunk its header, moves it to the smallest block that holds it, and puts it before the older ones. */
  #completeChunk(ref: number, record: number): void {
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
    assert(length <= LENGTH_MASK, 'series table: a chunk beyond 16 MiB');
    const { u32, f64 } = arena;
    const older = this.#word(record, SERIES_OLDER_CHUNK);
    if (older === 0 || isMapped(arena, older)) this.#unmapped.push(ref);
    u32[(block + CHUNK_OLDER) >>> 2] = older;
    u32[(block + CHUNK_LENGTH) >>> 2] = length | (this.openEncoding(record) << CHUNK_LENGTH_BITS);
    f64[(block + CHUNK_MIN_TIME) / 8] = this.time(record + SERIES_CHUNK_MIN_TIME);
    f64[(block + CHUNK_MAX_TIME) / 8] = this.time(record + SERIES_LAST_TIME);
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

  #setDirectory(address: number, capacity: number): void {
    this.#arena.u32[(this.root + HEAD_DIRECTORY) >>> 2] = address;
    this.#arena.u32[(this.root + HEAD_PAGE_COUNT) >>> 2] = capacity;
  }

  #growDirectory(pages: number): void {
    const before = this.pageCount;
    const capacity = Math.max(pages, before * 2);
    const old = this.directory;
    const directory = this.#newDirectory(capacity);
    this.#arena.u8.copyWithin(directory, old, old + before * 4);
    this.#arena.free(old, before * 4);
    this.#setDirectory(directory, capacity);
  }
}

function chunkBytes(bits: number): number {
  return (bits + 7) >>> 3;
}

function blockBytes(dataBytes: number): number {
  return CHUNK_DATA + dataBytes + CHUNK_SLACK;
}
