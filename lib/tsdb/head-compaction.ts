import { join } from 'node:path';
import type { Kernels } from '../kernels/index.ts';
import type { Clock, Logger } from '../env/index.ts';
import type { Compactor } from './compact/compactor.ts';
import type { SourceToRead } from './compact/job.ts';
import type { HeadChunkFiles } from './head-chunks/files.ts';
import type { HeadChunkWriter } from './head-chunks/writer.ts';
import type { ChunkMapper } from './head/chunk-mapper.ts';
import type { Head } from './head/head.ts';
import { beginOutOfOrderCompaction, type OutOfOrderPart } from './head/ooo-source.ts';
import { truncateHead } from './head/truncation.ts';
import type { LogTruncation } from './log-truncation.ts';
import { slicedPace } from './pace.ts';
import type { RangeUsers } from './range-users.ts';
import type { WalWriter } from './wal/writer.ts';

export interface HeadCompactionParts {
  /** The data directory. */
  readonly dir: string;
  readonly head: Head;
  readonly kernels: Kernels;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly blockDurationMs: number;
  readonly compactor: Compactor;
  readonly mapper: ChunkMapper;
  readonly chunkWriter: HeadChunkWriter;
  readonly chunkFiles: HeadChunkFiles;
  readonly log: LogTruncation;
  /** The log of out-of-order samples, when there is one. */
  readonly outOfOrderLog: () => WalWriter | undefined;
  readonly readers: RangeUsers;
}

/**
 * Moves what is old enough from the head to blocks, then takes it out of memory, of `chunks_head/` and of the log
 * (`DB.Compact`, `compactHead`, `compactOOOHead` of tsdb/db.go). Appends go on meanwhile; readers that began before are
 * waited for.
 *
 *     write the block ─▶ take it in ─▶ readers leave ─▶ truncate the head ─▶ delete chunk files ─▶ checkpoint the log
 *
 * Whatever fails or is cut off in between leaves samples in two places, never in none.
 */
export class HeadCompaction {
  readonly #parts: HeadCompactionParts;
  /** In-order samples before it are in blocks. */
  floorMs: number;
  /** Head chunk files below it are gone. */
  firstChunkFile = 0;
  truncations = 0;
  truncationFailures = 0;

  /** @param floorMs where blocks of samples in order end */
  constructor(parts: HeadCompactionParts, floorMs: number) {
    this.#parts = parts;
    this.floorMs = floorMs;
  }

  /** Whether the head spans one and a half block ranges (`Head.compactable`). */
  get isDue(): boolean {
    const { head, blockDurationMs } = this.#parts;
    return head.maxTimeMs - head.minTimeMs > blockDurationMs * 1.5;
  }

  /**
   * Compacts while the head is due. Whoever calls sees to it that it runs once at a time.
   * @throws PromletError `storage/…`: what was not compacted stays in the head and the log; the signal's reason
   */
  async run(signal: AbortSignal): Promise<void> {
    let compacted = false;
    try {
      while (this.isDue) {
        signal.throwIfAborted();
        await this.#compactRange(signal);
        compacted = true;
      }
    } finally {
      // What is in blocks leaves the log even when a later block failed: for want of space, perhaps.
      if (compacted && !signal.aborted) await this.#parts.log.run(this.floorMs);
    }
    if (compacted) await this.compactOutOfOrder(signal);
  }

  /** Compacts the out-of-order samples. @throws as `run` */
  async compactOutOfOrder(signal: AbortSignal): Promise<void> {
    const { head, mapper, compactor, clock, readers, outOfOrderLog } = this.#parts;
    const log = outOfOrderLog();
    if (log === undefined) return;
    const segment = log.nextSegment();
    const part = await beginOutOfOrderCompaction(head, mapper, slicedPace(clock, signal));
    if (part !== undefined) {
      const { minTimeMs, maxTimeMs } = part;
      const source = (minMs: number, maxMs: number): SourceToRead => this.#source(minMs, maxMs, part);
      await compactor.compactOutOfOrderHead(source, minTimeMs, maxTimeMs, signal);
      await readers.left();
      head.root.beginWrite();
      head.outOfOrder.truncate(part.last);
      head.root.endWrite();
    }
    await log.truncate(segment);
  }

  /** All that is in memory in order, within [minMs, maxMs), for compaction on any thread. */
  source(minMs: number, maxMs: number): SourceToRead {
    return this.#source(minMs, maxMs);
  }

  async #compactRange(signal: AbortSignal): Promise<void> {
    const { head, blockDurationMs, compactor, mapper, readers } = this.#parts;
    const minMs = head.minTimeMs;
    // rangeForTimestamp of tsdb/db.go; Go divides towards zero.
    const maxMs = Math.trunc(minMs / blockDurationMs) * blockDurationMs + blockDurationMs;
    await head.appenders.left(maxMs);
    await mapper.run();
    await compactor.compactHead(this.source(minMs, maxMs), minMs, maxMs, signal);
    this.floorMs = maxMs;
    await readers.left(maxMs);
    await this.truncate(maxMs);
  }

  /** Takes what is before `maxMs` out of the head, and out of `chunks_head/`. */
  async truncate(maxMs: number): Promise<void> {
    const { head, clock, logger, chunkFiles, chunkWriter } = this.#parts;
    const startMs = clock.monotonicMs();
    this.truncations++;
    try {
      const { minFile, ...removed } = await truncateHead(head, maxMs, slicedPace(clock));
      head.root.beginWrite();
      head.tombstones.truncateBefore(head.oldestMs(maxMs));
      head.root.endWrite();
      const firstKept = Math.min(minFile ?? Infinity, head.outOfOrder.onFile().minFile, chunkWriter.file);
      const filesDeleted = chunkFiles.truncate(firstKept);
      // The file that grows now can go at the next but one truncation, however little is in it.
      chunkWriter.cut();
      head.outOfOrder.forgetFiles(firstKept);
      this.firstChunkFile = firstKept;
      logger.info(
        {
          ...removed,
          filesDeleted,
          series: head.index.numSeries,
          durationMs: Math.round(clock.monotonicMs() - startMs),
        },
        'truncated the head',
      );
    } catch (error) {
      this.truncationFailures++;
      throw error;
    }
  }

  #source(minMs: number, maxMs: number, outOfOrder?: OutOfOrderPart): SourceToRead {
    const { dir, head, kernels } = this.#parts;
    const handle = { memory: kernels.arena.memory, root: head.root.address };
    const chunksDir = join(dir, 'chunks_head');
    return { kind: 'head', head: handle, chunksDir, minMs, maxMs, outOfOrder };
  }
}
