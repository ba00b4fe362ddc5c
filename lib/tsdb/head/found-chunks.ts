import { layout, type SharedArena } from '../../kernels/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import type { LoadedChunk } from '../head-chunks/load.ts';
import { chunkHeader, type ChunkFilePlace, filePlace, freeChunk, storeMappedChunk } from './chunk-block.ts';
import type { Head } from './head.ts';
import type { MappedChunk } from './ooo-head.ts';
import { RefColumn } from './ref-column.ts';

const { CHUNK_MAX_TIME, CHUNK_OLDER } = layout;

/**
 * The chunks that start-up finds in `chunks_head/`, until the log tells which series they belong to (`loadMmappedChunks` and
 * `resetSeriesWithMMappedChunks` of tsdb/head.go, head_wal.go). They wait as the 32 bytes that the head will have of them.
 */
export class FoundChunks {
  readonly #arena: SharedArena;
  /** Ref in the log to its newest chunk, linked to the older ones. */
  readonly #inOrder: RefColumn;
  readonly #outOfOrder: RefColumn;
  /** The place of the newest out-of-order chunk: what a marker names behind it was lost. */
  lastOutOfOrder: ChunkFilePlace = { file: 0, offsetBytes: 0 };
  /** Chunks that begin before the one before ends, or overlap what their series has by another ref: left to the log. */
  overlapping = 0;

  constructor(arena: SharedArena) {
    this.#arena = arena;
    this.#inOrder = new RefColumn(arena);
    this.#outOfOrder = new RefColumn(arena);
  }

  /** In the order of the files. */
  add({ ref, file, offsetBytes, outOfOrder, minTimeMs, maxTimeMs, encoding }: LoadedChunk): void {
    const column = outOfOrder ? this.#outOfOrder : this.#inOrder;
    const older = column.get(ref);
    const place = { file, offsetBytes };
    if (outOfOrder) {
      this.lastOutOfOrder = place;
    } else if (older !== 0 && this.#arena.f64[(older + CHUNK_MAX_TIME) / 8]! >= minTimeMs) {
      this.overlapping++;
      return;
    }
    column.set(ref, storeMappedChunk(this.#arena, { minTimeMs, maxTimeMs, encoding }, place, older));
  }

  /**
   * Gives the chunks found under `ref` to the series that the head knows as `known`.
   * @param minValidMs what is in order before it is in blocks and left out
   */
  claim(ref: SeriesRef, known: SeriesRef, head: Head, minValidMs: number): void {
    if (this.#inOrder.get(ref) === 0 && this.#outOfOrder.get(ref) === 0) return;
    head.root.beginWrite();
    try {
      this.#claimInOrder(ref, known, head, minValidMs);
      for (const chunk of this.#take(this.#outOfOrder, ref)) head.outOfOrder.attach(known, chunk);
    } finally {
      head.root.endWrite();
    }
  }

  #claimInOrder(ref: SeriesRef, known: SeriesRef, head: Head, minValidMs: number): void {
    const inOrder = this.#take(this.#inOrder, ref).filter(({ maxTimeMs }) => maxTimeMs >= minValidMs);
    const { table } = head;
    for (const chunk of inOrder) {
      if (chunk.minTimeMs > table.lastTimeMs(table.record(known))) {
        // A series that came back: what the log had by its former ref is older.
        table.closeChunk(known);
        head.addMappedChunk(known, chunk, chunk.place);
      } else if (table.insertMappedChunk(known, chunk, chunk.place)) {
        // After another restart it goes on under its former ref: that one's chunks are newer.
        head.extendTimes(chunk.minTimeMs, chunk.maxTimeMs);
      } else {
        this.overlapping++;
      }
    }
  }

  /** Forgets what no series of the log claimed; no other gets its ref. @returns how many chunks */
  release(head: Head): number {
    let left = 0;
    for (const column of [this.#inOrder, this.#outOfOrder]) {
      for (const [ref] of column.entries()) {
        left += this.#take(column, ref).length;
        head.reserveRef(ref);
      }
      column.release();
    }
    return left;
  }

  /** Oldest first. */
  #take(column: RefColumn, ref: SeriesRef): MappedChunk[] {
    const arena = this.#arena;
    const { u32 } = arena;
    const chunks: MappedChunk[] = [];
    let block = column.get(ref);
    while (block !== 0) {
      const older = u32[(block + CHUNK_OLDER) >>> 2]!;
      chunks.push({ ...chunkHeader(arena, block), place: filePlace(arena, block) });
      freeChunk(arena, block);
      block = older;
    }
    column.set(ref, 0);
    return chunks.reverse();
  }
}
