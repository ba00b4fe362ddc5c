import { type Kernels, layout, type SharedArena } from '../../kernels/index.ts';
import { assert, type FloatHistogram, SampleColumns } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import { type Chunk, ChunkDecoder, encodeSamples } from '../../chunk/index.ts';
import {
  chunkHeader,
  chunkIn,
  type ChunkFilePlace,
  filePlace,
  freeChunk,
  isBehind,
  isMapped,
  storeChunk,
  storeMappedChunk,
} from './chunk-block.ts';
import {
  histogramsAt,
  OOO_CAPACITY,
  OOO_CHUNKS,
  OOO_COUNT,
  OOO_RECORD_SIZE,
  OOO_SAMPLE_SIZE,
  OOO_SAMPLES,
  timesAt,
  valuesAt,
} from './ooo-layout.ts';
import { readOpenChunk } from './ooo-reader.ts';
import { RefColumn } from './ref-column.ts';

const { CHUNK_MAX_TIME, CHUNK_MIN_TIME, CHUNK_OLDER, HEAD_OOO_MAX_TIME, HEAD_OOO_MIN_TIME } = layout;

/** Samples an open chunk has room for at first; the room doubles from there. */
const FIRST_CAPACITY = 4;
/** Samples of an open chunk (`OutOfOrderCapMax` of tsdb/head.go). */
const DEFAULT_CHUNK_SAMPLES = 32;

/** A chunk of the out-of-order head that is not on file. */
export interface UnmappedChunk {
  readonly ref: SeriesRef;
  /** Address of its block. */
  readonly block: number;
  readonly chunk: Chunk;
}

/** A chunk of the out-of-order head that is. */
export interface MappedChunk extends Omit<Chunk, 'bytes'> {
  readonly place: ChunkFilePlace;
}

/**
 * Samples older than the newest of their series (tsdb/ooo_head.go): per series an open chunk of up to 32, kept by time and
 * not encoded, and completed chunks, encoded, in memory until they are on file. Nothing is allocated per sample; series
 * without such samples have nothing here. Written by one thread; `OutOfOrderReader` reads on any.
 */
export class OutOfOrderHead {
  readonly #kernels: Kernels;
  readonly #arena: SharedArena;
  readonly #decoder: ChunkDecoder;
  readonly #records: RefColumn;
  readonly #chunkSamples: number;
  readonly #columns = new SampleColumns();
  readonly #headRoot: number;
  /** The first time of the chunks in a file, also of those that have left the head and come back with a restart. */
  readonly #fileTimes = new Map<number, number>();
  /** Completed chunks, and how many of those are not on file. */
  numChunks = 0;
  numUnmapped = 0;

  /** @param headRoot address of the head's root, where the times are kept */
  constructor(kernels: Kernels, headRoot: number, chunkSamples = DEFAULT_CHUNK_SAMPLES) {
    this.#kernels = kernels;
    this.#arena = kernels.arena;
    this.#decoder = new ChunkDecoder(kernels);
    this.#records = new RefColumn(kernels.arena);
    this.#chunkSamples = chunkSamples;
    this.#headRoot = headRoot;
  }

  /** Of all samples held; +Infinity and -Infinity while there is none. */
  get minTimeMs(): number {
    return this.#arena.f64[(this.#headRoot + HEAD_OOO_MIN_TIME) / 8]!;
  }

  get maxTimeMs(): number {
    return this.#arena.f64[(this.#headRoot + HEAD_OOO_MAX_TIME) / 8]!;
  }

  /** Where readers begin. */
  get root(): number {
    return this.#records.root;
  }

  get numSeries(): number {
    return this.#records.size;
  }

  has(ref: SeriesRef): boolean {
    return this.#records.get(ref) !== 0;
  }

  /** Series with out-of-order samples, in the order of refs. */
  *series(): IterableIterator<SeriesRef> {
    for (const [ref] of this.#records.entries()) yield ref;
  }

  /** Whether the next sample of the series begins a new chunk. */
  isFull(ref: SeriesRef): boolean {
    const record = this.#records.get(ref);
    return record !== 0 && this.#word(record, OOO_COUNT) >= this.#chunkSamples;
  }

  /** @returns false when the open chunk has a sample of that time already, which stays */
  insert(ref: SeriesRef, timeMs: number, value: number, histogram?: FloatHistogram): boolean {
    let record = this.#records.get(ref);
    if (record === 0) record = this.#create(ref);
    if (this.#word(record, OOO_COUNT) >= this.#chunkSamples) this.complete(ref);
    const count = this.#word(record, OOO_COUNT);
    const { f64 } = this.#arena;
    const times = timesAt(this.#word(record, OOO_SAMPLES));
    // Mostly they come in order among themselves.
    let at = count;
    while (at > 0 && f64[times + at - 1]! > timeMs) at--;
    if (at > 0 && f64[times + at - 1] === timeMs) return false;
    const block = histogram === undefined ? 0 : this.#storeHistogram(timeMs, histogram);
    if (count === this.#word(record, OOO_CAPACITY)) this.#grow(record);
    this.#put(record, at, timeMs, value, block);
    this.#widen(timeMs, timeMs);
    return true;
  }

  /** Encodes the open chunk, if there is one (`ToEncodedChunks`): its samples become one chunk or several. */
  complete(ref: SeriesRef): void {
    const record = this.#records.get(ref);
    if (record === 0 || this.#word(record, OOO_COUNT) === 0) return;
    const columns = this.#columns;
    columns.clear();
    readOpenChunk(this.#arena, record, this.#decoder, -Infinity, Infinity, columns);
    for (const chunk of encodeSamples(this.#kernels, columns, 0, columns.length)) {
      this.#setWord(record, OOO_CHUNKS, storeChunk(this.#arena, chunk, this.#word(record, OOO_CHUNKS)));
      this.numChunks++;
      this.numUnmapped++;
    }
    columns.clear();
    this.#freeOpen(record);
  }

  /** Completed chunks that are not on file, oldest first, behind those in `out`. Their bytes lie in the arena. */
  unmapped(ref: SeriesRef, out: UnmappedChunk[]): void {
    const first = out.length;
    for (const block of this.#blocks(ref)) {
      if (isMapped(this.#arena, block)) continue;
      out.push({ ref, block, chunk: chunkIn(this.#arena, block, unread) });
    }
    for (let i = first, j = out.length - 1; i < j; i++, j--) [out[i], out[j]] = [out[j]!, out[i]!];
  }

  /** The chunk is on file now: its bytes are given back. */
  mapped({ ref, block, chunk }: UnmappedChunk, place: ChunkFilePlace): void {
    const arena = this.#arena;
    const replacement = storeMappedChunk(arena, chunk, place, arena.u32[(block + CHUNK_OLDER) >>> 2]!);
    const record = this.#records.get(ref);
    let link = record + OOO_CHUNKS;
    while (arena.u32[link >>> 2] !== block) {
      link = arena.u32[link >>> 2]! + CHUNK_OLDER;
      assert(link !== CHUNK_OLDER, 'out-of-order head: a chunk that is not of its series');
    }
    arena.u32[link >>> 2] = replacement;
    freeChunk(arena, block);
    this.numUnmapped--;
    this.#onFile(place.file, chunk.minTimeMs);
  }

  /** Where the newest completed chunk lies on file; undefined when there is none, or it is in memory. */
  lastPlace(ref: SeriesRef): ChunkFilePlace | undefined {
    const block = this.#word(this.#records.get(ref), OOO_CHUNKS);
    return block !== 0 && isMapped(this.#arena, block) ? filePlace(this.#arena, block) : undefined;
  }

  /** Adds a chunk that is on file already, as found at the start: newer than those before it. */
  attach(ref: SeriesRef, chunk: MappedChunk): void {
    let record = this.#records.get(ref);
    if (record === 0) record = this.#create(ref);
    this.#setWord(
      record,
      OOO_CHUNKS,
      storeMappedChunk(this.#arena, chunk, chunk.place, this.#word(record, OOO_CHUNKS)),
    );
    this.numChunks++;
    this.#widen(chunk.minTimeMs, chunk.maxTimeMs);
    this.#onFile(chunk.place.file, chunk.minTimeMs);
  }

  /** Forgets what of the series is not on file: replay found that all of it is. */
  dropUnmapped(ref: SeriesRef): void {
    const record = this.#records.get(ref);
    if (record === 0) return;
    this.#freeOpen(record);
    this.#removeChunks(ref, (block) => !isMapped(this.#arena, block));
  }

  /**
   * Forgets the chunks on file up to `last`, which are in blocks now, and the series that have nothing else
   * (`truncateChunksBefore` of tsdb/head.go).
   */
  truncate(last: ChunkFilePlace): void {
    const arena = this.#arena;
    const isCompacted = (block: number): boolean => isMapped(arena, block) && !isBehind(filePlace(arena, block), last);
    this.#setTimes(Infinity, -Infinity);
    for (const [ref, record] of this.#records.entries()) {
      this.#removeChunks(ref, isCompacted);
      if (this.#word(record, OOO_COUNT) === 0 && this.#word(record, OOO_CHUNKS) === 0) this.remove(ref);
      else this.#takeTimes(ref, record);
    }
  }

  /** Forgets all of a series, as when it leaves the head. */
  remove(ref: SeriesRef): void {
    const record = this.#records.get(ref);
    if (record === 0) return;
    this.#removeChunks(ref, () => true);
    this.#freeOpen(record);
    this.#records.set(ref, 0);
    this.#arena.free(record, OOO_RECORD_SIZE);
  }

  /** Where the samples begin that are here, or would be after a restart; +Infinity when there are none. */
  get oldestMs(): number {
    return Math.min(this.minTimeMs, ...this.#fileTimes.values());
  }

  /** Files below `firstKept` are deleted. */
  forgetFiles(firstKept: number): void {
    for (const file of this.#fileTimes.keys()) if (file < firstKept) this.#fileTimes.delete(file);
  }

  /** Of all chunks on file: the place of the newest, the number of the oldest file that has one, and their times. */
  onFile(): { last: ChunkFilePlace | undefined; minFile: number; minTimeMs: number; maxTimeMs: number } {
    let last: ChunkFilePlace | undefined;
    let minFile = Infinity;
    let minTimeMs = Infinity;
    let maxTimeMs = -Infinity;
    for (const [ref] of this.#records.entries()) {
      for (const block of this.#blocks(ref)) {
        if (!isMapped(this.#arena, block)) continue;
        const place = filePlace(this.#arena, block);
        const header = chunkHeader(this.#arena, block);
        if (last === undefined || isBehind(place, last)) last = place;
        minFile = Math.min(minFile, place.file);
        minTimeMs = Math.min(minTimeMs, header.minTimeMs);
        maxTimeMs = Math.max(maxTimeMs, header.maxTimeMs);
      }
    }
    return { last, minFile, minTimeMs, maxTimeMs };
  }

  #onFile(file: number, minTimeMs: number): void {
    this.#fileTimes.set(file, Math.min(minTimeMs, this.#fileTimes.get(file) ?? Infinity));
  }

  #create(ref: SeriesRef): number {
    const record = this.#arena.allocate(OOO_RECORD_SIZE);
    this.#arena.u32.fill(0, record >>> 2, (record + OOO_RECORD_SIZE) >>> 2);
    this.#records.set(ref, record);
    return record;
  }

  #storeHistogram(timeMs: number, histogram: FloatHistogram): number {
    const columns = this.#columns;
    columns.clear();
    columns.pushHistogram(timeMs, histogram);
    const [chunk] = encodeSamples(this.#kernels, columns, 0, 1);
    columns.clear();
    return storeChunk(this.#arena, chunk!, 0);
  }

  /** Puts a sample at index `at`; those from there on move up. */
  #put(record: number, at: number, timeMs: number, value: number, histogram: number): void {
    const { u32, f64 } = this.#arena;
    const count = this.#word(record, OOO_COUNT);
    const samples = this.#word(record, OOO_SAMPLES);
    const capacity = this.#word(record, OOO_CAPACITY);
    const times = timesAt(samples);
    const values = valuesAt(samples, capacity);
    const histograms = histogramsAt(samples, capacity);
    f64.copyWithin(times + at + 1, times + at, times + count);
    f64.copyWithin(values + at + 1, values + at, values + count);
    u32.copyWithin(histograms + at + 1, histograms + at, histograms + count);
    f64[times + at] = timeMs;
    f64[values + at] = value;
    u32[histograms + at] = histogram;
    this.#setWord(record, OOO_COUNT, count + 1);
  }

  #grow(record: number): void {
    const arena = this.#arena;
    const old = this.#word(record, OOO_SAMPLES);
    const oldCapacity = this.#word(record, OOO_CAPACITY);
    const capacity = Math.min(Math.max(FIRST_CAPACITY, oldCapacity * 2), this.#chunkSamples);
    const samples = arena.allocate(capacity * OOO_SAMPLE_SIZE);
    const { u8 } = arena;
    u8.copyWithin(samples, old, old + oldCapacity * 8);
    u8.copyWithin(samples + capacity * 8, old + oldCapacity * 8, old + oldCapacity * 16);
    u8.copyWithin(samples + capacity * 16, old + oldCapacity * 16, old + oldCapacity * OOO_SAMPLE_SIZE);
    if (oldCapacity > 0) arena.free(old, oldCapacity * OOO_SAMPLE_SIZE);
    this.#setWord(record, OOO_SAMPLES, samples);
    this.#setWord(record, OOO_CAPACITY, capacity);
  }

  #freeOpen(record: number): void {
    const arena = this.#arena;
    const samples = this.#word(record, OOO_SAMPLES);
    if (samples === 0) return;
    const histograms = histogramsAt(samples, this.#word(record, OOO_CAPACITY));
    for (let i = 0; i < this.#word(record, OOO_COUNT); i++) {
      const block = arena.u32[histograms + i]!;
      if (block !== 0) freeChunk(arena, block);
    }
    arena.free(samples, this.#word(record, OOO_CAPACITY) * OOO_SAMPLE_SIZE);
    this.#setWord(record, OOO_SAMPLES, 0);
    this.#setWord(record, OOO_COUNT, 0);
    this.#setWord(record, OOO_CAPACITY, 0);
  }

  /** Blocks of the completed chunks, newest first. */
  *#blocks(ref: SeriesRef): IterableIterator<number> {
    let block = this.#word(this.#records.get(ref), OOO_CHUNKS);
    while (block !== 0) {
      const older = this.#arena.u32[(block + CHUNK_OLDER) >>> 2]!;
      yield block;
      block = older;
    }
  }

  #removeChunks(ref: SeriesRef, which: (block: number) => boolean): void {
    const arena = this.#arena;
    let link = this.#records.get(ref) + OOO_CHUNKS;
    for (const block of this.#blocks(ref)) {
      if (!which(block)) {
        link = block + CHUNK_OLDER;
        continue;
      }
      arena.u32[link >>> 2] = arena.u32[(block + CHUNK_OLDER) >>> 2]!;
      if (!isMapped(arena, block)) this.numUnmapped--;
      this.numChunks--;
      freeChunk(arena, block);
    }
  }

  #takeTimes(ref: SeriesRef, record: number): void {
    const { f64 } = this.#arena;
    const count = this.#word(record, OOO_COUNT);
    if (count > 0) {
      const times = timesAt(this.#word(record, OOO_SAMPLES));
      this.#widen(f64[times]!, f64[times + count - 1]!);
    }
    for (const block of this.#blocks(ref)) {
      this.#widen(f64[(block + CHUNK_MIN_TIME) / 8]!, f64[(block + CHUNK_MAX_TIME) / 8]!);
    }
  }

  #widen(minMs: number, maxMs: number): void {
    this.#setTimes(Math.min(this.minTimeMs, minMs), Math.max(this.maxTimeMs, maxMs));
  }

  #setTimes(minMs: number, maxMs: number): void {
    const { f64 } = this.#arena;
    f64[(this.#headRoot + HEAD_OOO_MIN_TIME) / 8] = minMs;
    f64[(this.#headRoot + HEAD_OOO_MAX_TIME) / 8] = maxMs;
  }

  #word(record: number, offset: number): number {
    return this.#arena.u32[(record + offset) >>> 2]!;
  }

  #setWord(record: number, offset: number, value: number): void {
    this.#arena.u32[(record + offset) >>> 2] = value;
  }
}

function unread(): never {
  assert(false, 'out-of-order head: a mapped chunk is not read here');
}
