import { type Kernels, Scratch } from '../../kernels/index.ts';
import { SampleColumns } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import { type Chunk, ChunkDecoder, encodeSamples, type Interval } from '../../chunk/index.ts';
import { dropDeleted } from '../deleted-samples.ts';
import type { ReadMappedChunk } from './chunk-block.ts';
import { deletedIntervals } from './head-tombstones.ts';
import type { HeadView } from './head-view.ts';
import { OutOfOrderReader } from './ooo-reader.ts';
import type { ChunkPlace } from './series-reader.ts';

/** Kernels read ahead of the last chunk. */
const READ_AHEAD_BYTES = 32;

/**
 * Reads the chunks of series of a head, on any thread. The writer's decodes them where they lie; another one first copies
 * the bytes to its own memory, so that its read sections are short and what it decodes stands still.
 */
export class ChunkReader {
  readonly #view: HeadView;
  readonly #kernels: Kernels;
  readonly #readMapped: ReadMappedChunk;
  readonly #decoder: ChunkDecoder;
  readonly #copies: Scratch;
  readonly #places: ChunkPlace[] = [];
  readonly outOfOrder: OutOfOrderReader;
  // What the last section found of the series besides its chunks.
  #hasOutOfOrder = false;
  #deleted: readonly Interval[] = [];

  /** @param kernels the thread's own */
  constructor(view: HeadView, kernels: Kernels, readMapped: ReadMappedChunk) {
    this.#view = view;
    this.#kernels = kernels;
    this.#readMapped = readMapped;
    this.#decoder = new ChunkDecoder(kernels);
    this.#copies = new Scratch(kernels.arena);
    this.outOfOrder = new OutOfOrderReader(view, view.root, kernels, readMapped);
  }

  /**
   * Decodes the samples of a series within [minMs, maxMs], in order and out of order, behind those in `into`; what is deleted
   * is left out.
   * @throws PromletError `storage/…` when a chunk on file cannot be read
   */
  read(ref: SeriesRef, minMs: number, maxMs: number, into: SampleColumns): void {
    const from = into.length;
    const count = this.#view.read(() => this.#take(ref, minMs, maxMs));
    for (let i = 0; i < count; i++) {
      const place = this.#places[i]!;
      this.#decoder.decode(place.encoding, this.#bytes(place), minMs, maxMs, into);
    }
    if (this.#hasOutOfOrder) this.outOfOrder.mergeInto(ref, minMs, maxMs, into, from);
    dropDeleted(into, from, this.#deleted);
  }

  /**
   * Chunks with the samples of `read`, in order, none overlapping: those there are where they may be handed on as they are,
   * else new ones; copies. The first and the last may hold samples outside of the range.
   * @throws PromletError `storage/…` when a chunk on file cannot be read
   */
  readableChunks(ref: SeriesRef, minMs: number, maxMs: number): Chunk[] {
    const chunks = this.chunks(ref, minMs, maxMs);
    if (!this.#hasOutOfOrder && this.#deleted.length === 0) return chunks;
    const columns = new SampleColumns();
    this.read(ref, minMs, maxMs, columns);
    return encodeSamples(this.#kernels, columns, 0, columns.length);
  }

  /**
   * The chunks in order of a series that overlap [minMs, maxMs], oldest first, as they are now, deleted samples included:
   * copies, the newest may hold later samples.
   */
  chunks(ref: SeriesRef, minMs: number, maxMs: number): Chunk[] {
    const count = this.#view.read(() => this.#take(ref, minMs, maxMs));
    return this.#places.slice(0, count).map((place) => ({
      encoding: place.encoding,
      minTimeMs: place.minTimeMs,
      maxTimeMs: place.maxTimeMs,
      bytes: this.#bytes(place).slice(),
    }));
  }

  /** Gives the scratch memory back; it is taken again when needed. */
  release(): void {
    this.#decoder.release();
    this.#copies.release();
  }

  /** Within a section: finds the chunks, and unless they lie in the thread's own memory, copies them there. */
  #take(ref: SeriesRef, minMs: number, maxMs: number): number {
    const view = this.#view;
    const { arena } = this.#kernels;
    const record = view.series.record(ref);
    if (record === 0) return 0;
    this.#hasOutOfOrder = this.outOfOrder.overlaps(ref, minMs, maxMs);
    this.#deleted = deletedIntervals(view.views, view.root, ref);
    const places = this.#places;
    const count = view.series.chunkPlaces(record, minMs, maxMs, places);
    if (view.views === arena) return count;
    let totalBytes = READ_AHEAD_BYTES;
    for (let i = 0; i < count; i++) totalBytes += places[i]!.lengthBytes;
    let at = this.#copies.reserve(view.bounded(totalBytes));
    for (let i = 0; i < count; i++) {
      const place = places[i]!;
      arena.u8.set(view.views.u8.subarray(place.data, place.data + place.lengthBytes), at);
      place.data = at;
      at += place.lengthBytes;
    }
    return count;
  }

  #bytes(place: ChunkPlace): Uint8Array {
    if (place.mapped) return this.#readMapped({ file: place.fileNumber, offsetBytes: place.fileOffsetBytes }).bytes;
    return this.#kernels.arena.u8.subarray(place.data, place.data + place.lengthBytes);
  }
}
