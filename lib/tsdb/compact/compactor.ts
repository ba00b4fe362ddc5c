/**
 * Compaction of a data directory (tsdb/db.go, `Compact`, `compactBlocks`, `CleanTombstones`, `Snapshot`): what is to be done
 * is decided here, done by a runner, and taken into the set of blocks. One at a time.
 */
import { join } from 'node:path';
import { ulid } from 'ulid';
import { type Clock, type FileSystem, Gate, type Logger, type Random } from '../../env/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';
import type { BlockMeta } from '../block/meta.ts';
import type { BlockSet, Retention } from '../blocks.ts';
import type { SourceToRead } from './job.ts';
import { compactedMeta, headBlockMeta, type NewMeta, rewrittenMeta } from './new-meta.ts';
import { CompactionHint, hasHint, planCompaction } from './plan.ts';
import type { CompactionRunner } from './runner.ts';
import { createSnapshotDirectory, linkBlock } from './snapshot.ts';

export interface CompactorOptions {
  /** The data directory. */
  readonly dir: string;
  readonly blocks: BlockSet;
  readonly runner: CompactionRunner;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** From `blockRangesMs`. */
  readonly rangesMs: readonly number[];
  /** With what blocks are reloaded after a compaction. */
  readonly retention: () => Retention | undefined;
}

/** Counters since the process started. */
export interface CompactorStats {
  readonly compactions: number;
  readonly failures: number;
  /** Of blocks that overlapped. */
  readonly vertical: number;
  /** Seconds that compactions took in all. */
  readonly durationSeconds: number;
  readonly running: boolean;
}

/** Codes of errors that say nothing of the blocks that were to be compacted. */
const FAULTS_OF_MACHINE: ReadonlySet<string> = new Set(['storage/block-write', 'storage/compaction-thread']);

export class Compactor {
  readonly #options: CompactorOptions;
  readonly #gate = new Gate(1);
  #running = false;
  #compactions = 0;
  #failures = 0;
  #vertical = 0;
  #durationMs = 0;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  get stats(): CompactorStats {
    return {
      compactions: this.#compactions,
      failures: this.#failures,
      vertical: this.#vertical,
      durationSeconds: this.#durationMs / 1000,
      running: this.#running,
    };
  }

  /** Runs something that must not meet a compaction, such as a deletion that writes tombstones. */
  async exclusively<T>(action: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    await this.#gate.enter(signal);
    try {
      return await action();
    } finally {
      this.#gate.leave();
    }
  }

  /** Takes in what changed in the directory and applies retention. */
  reload(): void {
    this.#options.blocks.reload(this.#options.retention());
  }

  /**
   * Writes the samples of [minMs, maxMs) in the head as a block, and takes it in. The head may then forget them.
   * @returns undefined when there were none
   * @throws PromletError `storage/block-write`, `storage/bad-chunk`; the signal's reason
   */
  compactHead(head: SourceToRead, minMs: number, maxMs: number, signal?: AbortSignal): Promise<BlockMeta | undefined> {
    return this.exclusively(async () => {
      const written = await this.#write(headBlockMeta(this.#newUlid(), minMs, maxMs), [head], signal);
      this.#takeIn(written);
      return written;
    }, signal);
  }

  /**
   * Writes what came out of order as blocks, one for each range of `rangeMs`, and takes all of them in or none.
   * @param headOf the samples of [minMs, maxMs) that came out of order
   * @param maxMs of the newest of them
   * @throws as `compactHead`
   */
  compactOutOfOrderHead(
    headOf: (minMs: number, maxMs: number) => SourceToRead,
    minMs: number,
    maxMs: number,
    signal?: AbortSignal,
  ): Promise<BlockMeta[]> {
    return this.exclusively(async () => {
      const rangeMs = this.#options.rangesMs[0]!;
      const blocks: BlockMeta[] = [];
      try {
        for (let fromMs = Math.floor(minMs / rangeMs) * rangeMs; fromMs <= maxMs; fromMs += rangeMs) {
          const toMs = fromMs + rangeMs;
          const meta = headBlockMeta(this.#newUlid(), fromMs, toMs, [CompactionHint.outOfOrder]);
          const written = await this.#write(meta, [headOf(fromMs, toMs)], signal);
          if (written !== undefined) blocks.push(written);
        }
      } catch (error) {
        // Or they would be written again, and be there twice.
        for (const { ulid: name } of blocks) this.#options.blocks.discard(name);
        throw error;
      }
      this.#takeIn(...blocks);
      return blocks;
    }, signal);
  }

  /**
   * Compacts blocks while the plan has any. Those that cannot be read are marked and left out of further plans.
   * @param mayGoOn asked before each compaction: the head goes first
   * @throws PromletError `storage/block-write`, and what else is no fault of the blocks; the signal's reason
   */
  compactBlocks(signal?: AbortSignal, mayGoOn: () => boolean = () => true): Promise<void> {
    return this.exclusively(async () => {
      while (mayGoOn()) {
        signal?.throwIfAborted();
        const planned = planCompaction(this.#compactable(), this.#options.rangesMs);
        if (planned.length === 0) return;
        await this.#compactPlanned(planned, signal);
      }
    }, signal);
  }

  /**
   * A block of out-of-order samples that reaches beyond those in order waits for them. Compacted with others it would not be
   * told from a block in order, and a restart would take what the log has up to its end to be in blocks.
   */
  #compactable(): BlockMeta[] {
    const { blocks, inOrderMaxTimeMs } = this.#options.blocks;
    return blocks
      .map((block) => block.meta)
      .filter((meta) => !hasHint(meta, CompactionHint.outOfOrder) || meta.maxTime <= inOrderMaxTimeMs);
  }

  /**
   * Writes every block that has tombstones anew, without what they delete.
   * @throws PromletError `storage/block-write`, `storage/bad-block`, `storage/block-read`; the signal's reason
   */
  cleanTombstones(signal?: AbortSignal): Promise<void> {
    return this.exclusively(async () => {
      for (const { meta, tombstones } of this.#options.blocks.blocks) {
        if (tombstones.total > 0) await this.#replace([meta], rewrittenMeta(this.#newUlid(), meta), signal);
      }
    }, signal);
  }

  /**
   * Copies all blocks to another directory, as hard links, and the head as a block.
   * @param to a directory on the same file system, made when missing
   * @param head its samples of [minMs, maxMs), if wanted
   * @throws PromletError `storage/snapshot`, `storage/block-write`; the signal's reason
   */
  snapshot(
    to: string,
    head?: { readonly source: SourceToRead; readonly minMs: number; readonly maxMs: number },
    signal?: AbortSignal,
  ): Promise<void> {
    return this.exclusively(async () => {
      const { blocks, fileSystem, runner } = this.#options;
      createSnapshotDirectory(fileSystem, to);
      // Retention may be applied meanwhile.
      const lease = blocks.lease(-Infinity, Infinity);
      try {
        for (const { dir } of lease.blocks) {
          signal?.throwIfAborted();
          await linkBlock(fileSystem, dir, to);
        }
      } finally {
        lease.release();
      }
      if (head === undefined) return;
      const meta = headBlockMeta(this.#newUlid(), head.minMs, head.maxMs);
      await runner.run({ dir: to, meta, sources: [head.source] }, signal);
    }, signal);
  }

  async #compactPlanned(planned: readonly BlockMeta[], signal: AbortSignal | undefined): Promise<void> {
    const { blocks, logger } = this.#options;
    const parents = planned.map((meta) => meta.ulid);
    try {
      await this.#replace(planned, compactedMeta(this.#newUlid(), planned), signal);
    } catch (error) {
      // What the machine did, or who stops us, is no fault of the blocks: they are tried again.
      if (signal?.aborted === true || (error instanceof PromletError && FAULTS_OF_MACHINE.has(error.code))) throw error;
      logger.error({ parents, error: errorMessage(error) }, 'blocks cannot be compacted; they stay as they are');
      for (const name of parents) blocks.mark(name, 'failed');
      if (!(error instanceof PromletError)) throw error;
    }
  }

  /** Writes a block in place of others. */
  async #replace(parents: readonly BlockMeta[], meta: NewMeta, signal: AbortSignal | undefined): Promise<void> {
    const { blocks, dir } = this.#options;
    const sources = parents.map((parent): SourceToRead => ({ kind: 'block', dir: join(dir, parent.ulid) }));
    // Retention may be applied meanwhile.
    const lease = blocks.lease(meta.minTime, meta.maxTime - 1);
    try {
      const written = await this.#write(meta, sources, signal);
      if (written === undefined) {
        // The head begins where the newest block ends, also at the next start: it stays, though nothing of it is left to read.
        const floorMs = blocks.inOrderMaxTimeMs;
        const empty = parents.filter((parent) => parent.maxTime < floorMs);
        for (const parent of empty) blocks.mark(parent.ulid, 'deletable');
      }
      this.#takeIn(written);
    } finally {
      lease.release();
    }
    if (parents.some((parent, i) => i > 0 && parent.minTime < parents[i - 1]!.maxTime)) this.#vertical++;
  }

  async #write(
    meta: NewMeta,
    sources: readonly SourceToRead[],
    signal: AbortSignal | undefined,
  ): Promise<BlockMeta | undefined> {
    const { clock, dir, logger, runner } = this.#options;
    const startMs = clock.monotonicMs();
    this.#running = true;
    this.#compactions++;
    try {
      const written = await runner.run({ dir, meta, sources }, signal);
      const durationMs = Math.round(clock.monotonicMs() - startMs);
      logger.info({ ...(written ?? meta), durationMs }, written === undefined ? 'nothing to compact' : 'wrote a block');
      return written;
    } catch (error) {
      if (signal?.aborted !== true) this.#failures++;
      throw error;
    } finally {
      this.#running = false;
      this.#durationMs += clock.monotonicMs() - startMs;
    }
  }

  /**
   * @throws PromletError when a new block cannot be opened: it is deleted, and what it replaces stays. `storage/bad-block` when
   *   it would be bad again, else `storage/block-write`
   */
  #takeIn(...written: (BlockMeta | undefined)[]): void {
    const { blocks } = this.#options;
    this.reload();
    const names = written.flatMap((meta) => meta?.ulid ?? []);
    const faults = names.flatMap((name) => blocks.whyUnreadable(name) ?? []);
    if (faults.length === 0) return;
    for (const name of names) blocks.discard(name);
    const code = faults.includes('storage/bad-block') ? 'storage/bad-block' : 'storage/block-write';
    throw new PromletError(code, `new blocks cannot be opened: ${names.join(' ')}`);
  }

  #newUlid(): string {
    return ulid(this.#options.clock.now(), this.#options.random);
  }
}
