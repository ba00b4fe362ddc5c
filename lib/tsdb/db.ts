import { join } from 'node:path';
import { Gate } from '../env/index.ts';
import { errorMessage, METRIC_NAME, type Matcher, PromletError } from '../model/index.ts';
import { AppendResult, type Appender, type Metadata, type Querier, type SeriesExemplars } from '../storage/index.ts';
import type { BlockMeta } from './block/meta.ts';
import type { BlockSet } from './blocks.ts';
import type { Compactor } from './compact/compactor.ts';
import { DbQuerier, openQuerier } from './db-querier.ts';
import type { DiskSpace } from './disk-space.ts';
import { HeadCompaction } from './head-compaction.ts';
import type { HeadChunkFiles } from './head-chunks/files.ts';
import type { HeadChunksReport } from './head-chunks/load.ts';
import type { HeadChunkWriter } from './head-chunks/writer.ts';
import { HeadAppender } from './head/appender.ts';
import { cardinality } from './head/cardinality.ts';
import type { ChunkMapper } from './head/chunk-mapper.ts';
import { deleteFromHead } from './head/deletion.ts';
import type { Head } from './head/head.ts';
import type { OutOfOrderHost } from './head/ooo-commit.ts';
import type { DirectoryLock } from './lock.ts';
import { LogTruncation } from './log-truncation.ts';
import { Maintenance } from './maintenance.ts';
import { slicedPace } from './pace.ts';
import { RangeUsers } from './range-users.ts';
import type { Loan } from './reader.ts';
import type { RetentionOptions } from './retention.ts';
import type { Tsdb, TsdbOptions, TsdbSettings, TsdbStats } from './tsdb.ts';
import type { Cardinality, ReplayReport, TsdbLimits } from './types.ts';
import type { WalCommit } from './wal/commit.ts';
import { listLog } from './wal/log-files.ts';
import type { WalWriter } from './wal/writer.ts';

const DEFAULT_MAINTENANCE_INTERVAL_MS = 60_000;

/** An open directory, as `openTsdb` found it. */
export interface DatabaseParts {
  readonly options: TsdbOptions;
  readonly limits: TsdbLimits;
  readonly blockDurationMs: number;
  readonly head: Head;
  readonly blocks: BlockSet;
  readonly compactor: Compactor;
  readonly mapper: ChunkMapper;
  readonly chunkFiles: HeadChunkFiles;
  readonly chunkWriter: HeadChunkWriter;
  readonly wal: WalWriter;
  readonly disk: DiskSpace;
  readonly lock: DirectoryLock;
  readonly replay: ReplayReport;
  readonly headChunks: HeadChunksReport;
  /** In-order samples before it are in blocks. */
  readonly floorMs: number;
  readonly openOutOfOrderLog: () => WalWriter;
  /** Whether there is something in the log of out-of-order samples. */
  readonly hasOutOfOrderLog: boolean;
  readonly setRetention: (changed: Partial<RetentionOptions>) => void;
}

/** The head, the logs before it and the blocks behind it, as one (`DB` of tsdb/db.go). */
export class Database implements Tsdb {
  readonly head: Head;
  readonly #parts: DatabaseParts;
  readonly #readers = new RangeUsers();
  readonly #logTruncation: LogTruncation;
  readonly #headCompaction: HeadCompaction;
  readonly #maintenance: Maintenance;
  /** Compactions of the head, deletions, snapshots: one at a time. */
  readonly #gate = new Gate(1);
  readonly #replayedSeries: number;
  #outOfOrderLog: WalWriter | undefined;
  #outOfOrder: OutOfOrderHost | undefined;
  #diskLow = false;
  #closed = false;

  constructor(parts: DatabaseParts) {
    const { options, head, blockDurationMs, compactor, mapper, chunkFiles, chunkWriter, wal } = parts;
    const { clock, logger, dir, kernels } = options;
    this.#parts = parts;
    this.head = head;
    this.#replayedSeries = head.seriesCreated;
    this.#logTruncation = new LogTruncation(options, head, wal, parts.blocks);
    this.#headCompaction = new HeadCompaction(
      {
        dir,
        head,
        kernels,
        clock,
        logger,
        blockDurationMs,
        compactor,
        mapper,
        chunkFiles,
        chunkWriter,
        log: this.#logTruncation,
        readers: this.#readers,
        outOfOrderLog: () => this.#outOfOrderLog,
      },
      parts.floorMs,
    );
    if (parts.hasOutOfOrderLog) this.#outOfOrderLog = parts.openOutOfOrderLog();
    this.configure(options);
    this.#maintenance = new Maintenance({
      clock,
      logger,
      intervalMs: options.maintenanceIntervalMs ?? DEFAULT_MAINTENANCE_INTERVAL_MS,
      run: (signal) => this.#maintain(signal),
    });
  }

  get outOfOrder(): OutOfOrderHost | undefined {
    return this.#outOfOrder;
  }

  appender(): Appender {
    this.#checkOpen();
    if (this.#headCompaction.isDue) this.#maintenance.request();
    return new HeadAppender(this);
  }

  querier(minTimeMs: number, maxTimeMs: number): Querier {
    this.#checkOpen();
    const { view, chunkReader } = this.head;
    const { blocks, options } = this.#parts;
    const { floorMs } = this.#headCompaction;
    const lease = blocks.lease(minTimeMs, maxTimeMs);
    const head = { view, chunkReader, floorMs };
    const parts = { kernels: options.kernels, blocks: lease.blocks, unreadable: blocks.unreadable, head };
    const { querier, readsHead } = openQuerier(parts, minTimeMs, maxTimeMs);
    const leave = readsHead ? this.#enter(Math.max(minTimeMs, floorMs)) : undefined;
    return new DbQuerier(querier, () => {
      leave?.();
      lease.release();
    });
  }

  lend(): Loan {
    this.#checkOpen();
    const { blocks, options } = this.#parts;
    const lease = blocks.lease(-Infinity, Infinity);
    const { floorMs, firstChunkFile } = this.#headCompaction;
    const leave = this.#enter(floorMs);
    return {
      handle: {
        dir: options.dir,
        head: { memory: options.kernels.arena.memory, root: this.head.root.address },
        blocks: lease.blocks.map(({ meta: { ulid, minTime, maxTime }, revision }) => ({
          ulid,
          revision,
          minTimeMs: minTime,
          maxTimeMs: maxTime,
        })),
        unreadable: blocks.unreadable,
        floorMs,
        firstChunkFile,
      },
      release: () => {
        leave();
        lease.release();
      },
    };
  }

  exemplars(minMs: number, maxMs: number, matcherSets: readonly (readonly Matcher[])[]): SeriesExemplars[] {
    return this.head.exemplars.exemplars(minMs, maxMs, matcherSets);
  }

  metadata(): ReadonlyMap<string, readonly Metadata[]> {
    return this.head.metadata.byMetric((ref) => this.head.labels(ref).get(METRIC_NAME));
  }

  blocks(): readonly BlockMeta[] {
    return this.#parts.blocks.blocks.map((block) => block.meta);
  }

  cardinality(limit: number): Cardinality {
    return cardinality(this.head.view, limit);
  }

  configure({ retention, outOfOrderWindowMs, maxExemplars }: TsdbSettings): void {
    const { head } = this;
    if (retention !== undefined) this.#parts.setRetention(retention);
    if (maxExemplars !== undefined && maxExemplars !== head.exemplars.capacity) head.exemplars.resize(maxExemplars);
    if (outOfOrderWindowMs === undefined) return;
    head.exemplars.outOfOrderWindowMs = outOfOrderWindowMs;
    if (outOfOrderWindowMs === 0) {
      this.#outOfOrder = undefined;
      return;
    }
    const log = (this.#outOfOrderLog ??= this.#parts.openOutOfOrderLog());
    const { mapper } = this.#parts;
    this.#outOfOrder = { windowMs: outOfOrderWindowMs, mapper, log: (commit) => log.log(commit) };
  }

  async compact(): Promise<void> {
    this.#checkOpen();
    await this.#maintain(new AbortController().signal);
  }

  async deleteSeries(minMs: number, maxMs: number, matchers: readonly Matcher[]): Promise<void> {
    await this.#exclusively(async () => {
      const { blocks, compactor, options, wal } = this.#parts;
      // Blocks that are being replaced must not get tombstones that their successor does not have.
      await compactor.exclusively(async () => {
        const pace = slicedPace(options.clock);
        const pause = async (): Promise<void> => {
          await pace();
        };
        for (const block of blocks.blocks) {
          if (block.overlaps(minMs, maxMs)) await block.deleteInSlices(minMs, maxMs, matchers, pause);
        }
      });
      deleteFromHead(this.head, minMs, maxMs, matchers, (tombstones) => wal.log({ tombstones }));
    });
  }

  async cleanTombstones(): Promise<void> {
    await this.#exclusively(() => this.#parts.compactor.cleanTombstones());
  }

  async snapshot(to: string, withHead = true): Promise<void> {
    await this.#exclusively(async () => {
      const { head } = this;
      const minMs = head.minTimeMs;
      const maxMs = head.maxTimeMs + 1;
      const part =
        withHead && minMs < maxMs ? { source: this.#headCompaction.source(minMs, maxMs), minMs, maxMs } : undefined;
      await this.#parts.compactor.snapshot(to, part);
    });
  }

  now(): number {
    return this.#parts.options.clock.now();
  }

  log(commits: readonly WalCommit[]): void {
    this.#checkOpen();
    this.#parts.wal.log(...commits);
  }

  takeBack(): void {
    this.#parts.wal.takeBack();
  }

  stats(): TsdbStats {
    const { head } = this;
    const { wal, blocks, compactor, mapper, chunkFiles, options, limits, replay, headChunks } = this.#parts;
    const counts = head.appendCounts;
    const empty = head.minTimeMs === Infinity;
    const lowestMs = Math.min(head.minTimeMs, blocks.blocks[0]?.meta.minTime ?? Infinity);
    return {
      numSeries: head.index.numSeries,
      numChunks: head.table.chunks,
      numLabelPairs: head.index.numPairs,
      minTimeMs: empty ? undefined : head.minTimeMs,
      maxTimeMs: empty ? undefined : head.maxTimeMs,
      lowestTimeMs: lowestMs === Infinity ? undefined : lowestMs,
      walSegment: wal.segment,
      walSegments: listLog(options.fileSystem, join(options.dir, 'wal')).segments.length,
      walBytesWritten: wal.bytesWritten,
      walWriteFailures: wal.writeFailures,
      walFsyncs: wal.fsyncs,
      walFsyncFailures: wal.fsyncFailures,
      walSizeBytes: wal.sizeBytes() + (this.#outOfOrderLog?.sizeBytes() ?? 0),
      headChunksSizeBytes: chunkFiles.sizeBytes(),
      samplesAppended: counts[AppendResult.ok]!,
      samplesOutOfOrder: counts[AppendResult.outOfOrder]!,
      samplesDuplicate: counts[AppendResult.duplicate]!,
      samplesTooOld: counts[AppendResult.tooOld]!,
      samplesTooFarAhead: counts[AppendResult.tooFarAhead]!,
      outOfOrderAppended: head.outOfOrderAppended,
      exemplarsAppended: head.exemplars.appended,
      exemplarsOutOfOrder: head.exemplars.outOfOrder,
      seriesCreated: head.seriesCreated - this.#replayedSeries,
      seriesRemoved: head.seriesRemoved,
      seriesRefused: head.seriesRefused,
      samplesRefused: head.samplesRefused,
      chunksCreated: head.table.chunksCreated,
      chunksMapped: mapper.mapped,
      chunkMappingFailures: mapper.failures,
      headTruncations: this.#headCompaction.truncations,
      headTruncationFailures: this.#headCompaction.truncationFailures,
      checkpoints: this.#logTruncation.checkpoints,
      checkpointFailures: this.#logTruncation.failures,
      blocks: blocks.stats,
      compactor: compactor.stats,
      diskLow: this.#diskLow,
      headMemoryLimitBytes: limits.headMemoryBytes,
      arenaUsedBytes: options.kernels.arena.usedBytes,
      replay,
      headChunks,
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { wal, blocks, chunkWriter, chunkFiles, lock, options } = this.#parts;
    await this.#maintenance.stop();
    // Whoever is in is let finish.
    await this.#gate.enter();
    const faults: unknown[] = [];
    const closers: readonly (() => unknown)[] = [
      () => this.#outOfOrderLog?.close(),
      () => wal.close(),
      () => chunkWriter.close(),
      () => chunkFiles.close(),
      () => blocks.close(),
    ];
    for (const close of closers) {
      try {
        await close();
      } catch (error) {
        faults.push(error);
      }
    }
    lock.release();
    if (faults.length > 0) {
      const text = faults.map(errorMessage).join('; ');
      throw new PromletError('storage/close', `cannot close ${options.dir}: ${text}`, { cause: faults[0] });
    }
  }

  /** A reader of the head from `fromMs` on. @returns its way out */
  #enter(fromMs: number): () => void {
    const reader = { fromMs };
    this.#readers.enter(reader);
    return () => this.#readers.leave(reader);
  }

  /** One turn of maintenance. */
  async #maintain(signal: AbortSignal): Promise<void> {
    await this.#exclusively(async () => {
      const { compactor, disk, mapper } = this.#parts;
      this.#diskLow = disk.check() === 'low';
      this.head.refusal = this.#diskLow ? 'the disk is almost full' : undefined;
      compactor.reload();
      await mapper.run();
      await this.#headCompaction.run(signal);
      await compactor.compactBlocks(signal, () => !this.#headCompaction.isDue);
    }, signal);
  }

  async #exclusively(action: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    this.#checkOpen();
    await this.#gate.enter(signal);
    try {
      this.#checkOpen();
      await action();
    } finally {
      this.#gate.leave();
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new PromletError('storage/closed', `${this.#parts.options.dir} is closed`);
  }
}
