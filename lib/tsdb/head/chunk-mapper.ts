import type { Clock, Logger } from '../../env/index.ts';
import { layout } from '../../kernels/index.ts';
import { errorMessage } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import type { HeadChunkWriter } from '../head-chunks/writer.ts';
import { slicedPace } from '../pace.ts';
import { chunkIn, isMapped } from './chunk-block.ts';
import type { Head } from './head.ts';
import type { UnmappedChunk } from './ooo-head.ts';

const { CHUNK_OLDER, SERIES_OLDER_CHUNK } = layout;

/** Written in one piece; bounds the memory of a batch and the time that writing it takes. */
const BATCH_BYTES = 128 << 10;

interface Pending extends UnmappedChunk {
  readonly outOfOrder: boolean;
  /** In the batch. */
  readonly offsetBytes: number;
}

/**
 * Moves completed chunks from memory to `chunks_head/` (`mmapHeadChunks` of tsdb/head.go). What cannot be written stays in
 * memory until the next run.
 */
export class ChunkMapper {
  readonly #head: Head;
  readonly #writer: HeadChunkWriter;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #logger: Logger;
  #running: Promise<void> | undefined;
  #batch: Pending[] = [];
  mapped = 0;
  failures = 0;

  constructor(head: Head, writer: HeadChunkWriter, clock: Pick<Clock, 'monotonicMs'>, logger: Logger) {
    this.#head = head;
    this.#writer = writer;
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * Maps all chunks in order that are complete now, in slices of a few ms. A run that is under way is joined. Never rejects.
   * Those out of order wait for a commit to map them, which can say so in their log: without that they would be there twice
   * after a restart.
   */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Maps the out-of-order chunks of some series at once. @returns false when they could not be written */
  mapOutOfOrder(refs: Iterable<SeriesRef>): boolean {
    for (const ref of refs) this.#addOutOfOrder(ref);
    return this.#flush();
  }

  async #run(): Promise<void> {
    const { table } = this.#head;
    // A series can be on the list twice: kept when writing failed, and put there again after a truncation.
    const refs = [...new Set(table.takeUnmapped())];
    const pace = slicedPace(this.#clock);
    let good = true;
    for (let i = 0; i < refs.length; i++) {
      const ref = refs[i]!;
      if (!good) {
        table.keepUnmapped(ref);
        continue;
      }
      const first = i;
      this.#addInOrder(ref);
      while (this.#writer.batchBytes < BATCH_BYTES && i + 1 < refs.length) this.#addInOrder(refs[++i]!);
      good = this.#flush();
      if (good) await pace();
      else for (let j = first; j <= i; j++) table.keepUnmapped(refs[j]!);
    }
  }

  #addInOrder(ref: SeriesRef): void {
    const { table, kernels } = this.#head;
    const { arena } = kernels;
    const record = table.record(ref);
    if (record === 0) return;
    const blocks: number[] = [];
    let block = arena.u32[(record + SERIES_OLDER_CHUNK) >>> 2]!;
    while (block !== 0 && !isMapped(arena, block)) {
      blocks.push(block);
      block = arena.u32[(block + CHUNK_OLDER) >>> 2]!;
    }
    for (const block of blocks.reverse()) this.#add({ ref, block, chunk: chunkIn(arena, block, unread) }, false);
  }

  #addOutOfOrder(ref: SeriesRef): void {
    const unmapped: UnmappedChunk[] = [];
    this.#head.outOfOrder.unmapped(ref, unmapped);
    for (const chunk of unmapped) this.#add(chunk, true);
  }

  #add(unmapped: UnmappedChunk, outOfOrder: boolean): void {
    const offsetBytes = this.#writer.add(unmapped.ref, unmapped.chunk, outOfOrder);
    this.#batch.push({ ...unmapped, outOfOrder, offsetBytes });
  }

  /** Nothing else runs between adding chunks and this: their blocks stand still. */
  #flush(): boolean {
    const batch = this.#batch;
    if (batch.length === 0) return true;
    this.#batch = [];
    const { root, table, outOfOrder } = this.#head;
    let start;
    try {
      start = this.#writer.flush();
    } catch (error) {
      this.failures++;
      this.#logger.error({ error: errorMessage(error), chunks: batch.length }, 'chunks stay in memory for now');
      return false;
    }
    root.beginWrite();
    try {
      for (const pending of batch) {
        const place = { file: start.file, offsetBytes: start.offsetBytes + pending.offsetBytes };
        if (pending.outOfOrder) outOfOrder.mapped(pending, place);
        else table.mapChunk(pending.ref, pending.block, place);
      }
    } finally {
      root.endWrite();
    }
    this.mapped += batch.length;
    return true;
  }
}

function unread(): never {
  throw new Error('a mapped chunk is not mapped again');
}
