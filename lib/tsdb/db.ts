import { join } from 'node:path';
import { errorMessage, PromletError } from '../model/index.ts';
import type { Appender, Querier } from '../storage/index.ts';
import { AppendResult } from '../storage/index.ts';
import { cardinality } from './head/cardinality.ts';
import { HeadAppender } from './head/appender.ts';
import { Head } from './head/head.ts';
import { MemoryBudget } from './head/memory-budget.ts';
import { HeadReader } from './head/querier.ts';
import { HeadReplay } from './head/replay.ts';
import { DEFAULT_BLOCK_DURATION_MS, DEFAULT_FSYNC_INTERVAL_MS, DEFAULT_LIMITS } from './limits.ts';
import { DirectoryLock } from './lock.ts';
import type { Cardinality, ReplayReport, Tsdb, TsdbLimits, TsdbOptions, TsdbStats } from './types.ts';
import type { WalCommit } from './wal/commit.ts';
import { segmentIndex } from './wal/format.ts';
import { replayLog } from './wal/replay.ts';
import { WalWriter } from './wal/writer.ts';

/**
 * Opens a data directory: takes its lock, replays its log into a fresh head and starts a new log segment.
 * @throws PromletError `storage/locked`, `storage/wal-read`, `storage/wal-write`, `storage/open`
 */
export async function openTsdb(options: TsdbOptions): Promise<Tsdb> {
  const { dir, fileSystem, clock, logger, kernels } = options;
  const walDir = join(dir, 'wal');
  try {
    fileSystem.mkdirSync(walDir, { recursive: true });
  } catch (cause) {
    throw new PromletError('storage/open', `cannot create ${walDir}: ${errorMessage(cause)}`, { cause });
  }
  const lock = new DirectoryLock(fileSystem, dir);
  try {
    const limits = limitsOf(options);
    const budget = new MemoryBudget(kernels.arena, limits.headMemoryBytes, logger);
    const head = new Head(kernels, options.minBlockDurationMs ?? DEFAULT_BLOCK_DURATION_MS, limits, budget);
    const replay = new HeadReplay(head);
    const { lastSegment, ...log } = await replayLog(
      {
        dir: walDir,
        fileSystem,
        kernels,
        logger,
        monotonicMs: () => clock.monotonicMs(),
        damaged: 'repair',
        corruptDir: join(dir, 'corrupt'),
        onProgress: options.onReplayProgress,
      },
      replay,
    );
    const report = { ...log, unknownSeriesSamples: replay.unknownSeriesSamples };
    head.appendCounts.fill(0);
    if (report.segments > 0) logger.info({ ...report, series: head.index.numSeries }, 'replayed the log');
    const wal = new WalWriter({
      dir: walDir,
      segment: lastSegment + 1,
      fileSystem,
      clock,
      logger,
      kernels,
      compress: (options.walCompression ?? 'snappy') === 'snappy',
      fsyncIntervalMs: options.walFsyncIntervalMs ?? DEFAULT_FSYNC_INTERVAL_MS,
    });
    return new HeadTsdb(options, head, wal, lock, report);
  } catch (error) {
    lock.release();
    throw error;
  }
}

function limitsOf({ limits }: TsdbOptions): TsdbLimits {
  return { ...DEFAULT_LIMITS, ...limits };
}

class HeadTsdb implements Tsdb {
  readonly head: Head;
  readonly outOfOrder = undefined;
  readonly #options: TsdbOptions;
  readonly #wal: WalWriter;
  readonly #lock: DirectoryLock;
  readonly #replay: ReplayReport;
  readonly #replayedSeries: number;
  readonly #headMemoryLimitBytes: number;
  #closed = false;

  constructor(options: TsdbOptions, head: Head, wal: WalWriter, lock: DirectoryLock, replay: ReplayReport) {
    this.#options = options;
    this.head = head;
    this.#wal = wal;
    this.#lock = lock;
    this.#replay = replay;
    this.#replayedSeries = head.index.numSeries;
    this.#headMemoryLimitBytes = limitsOf(options).headMemoryBytes;
  }

  appender(): Appender {
    if (this.#closed) throw new PromletError('storage/closed', `${this.#options.dir} is closed`);
    return new HeadAppender(this);
  }

  querier(minTimeMs: number, maxTimeMs: number): Querier {
    if (this.#closed) throw new PromletError('storage/closed', `${this.#options.dir} is closed`);
    return new HeadReader(this.head.view, this.head.chunkReader, minTimeMs, maxTimeMs);
  }

  now(): number {
    return this.#options.clock.now();
  }

  log(commits: readonly WalCommit[]): void {
    if (this.#closed) throw new PromletError('storage/closed', `${this.#options.dir} is closed`);
    this.#wal.log(...commits);
  }

  takeBack(): void {
    this.#wal.takeBack();
  }

  stats(): TsdbStats {
    const { head } = this;
    const wal = this.#wal;
    const counts = head.appendCounts;
    const empty = head.minTimeMs === Infinity;
    const segments = this.#options.fileSystem
      .readdirSync(join(this.#options.dir, 'wal'))
      .filter((name) => segmentIndex(name) !== undefined);
    return {
      numSeries: head.index.numSeries,
      numChunks: head.table.chunks,
      numLabelPairs: head.index.numPairs,
      minTimeMs: empty ? undefined : head.minTimeMs,
      maxTimeMs: empty ? undefined : head.maxTimeMs,
      walSegment: wal.segment,
      walSegments: segments.length,
      walBytesWritten: wal.bytesWritten,
      walWriteFailures: wal.writeFailures,
      walFsyncs: wal.fsyncs,
      walFsyncFailures: wal.fsyncFailures,
      samplesAppended: counts[AppendResult.ok]!,
      samplesOutOfOrder: counts[AppendResult.outOfOrder]!,
      samplesDuplicate: counts[AppendResult.duplicate]!,
      samplesTooOld: counts[AppendResult.tooOld]!,
      samplesTooFarAhead: counts[AppendResult.tooFarAhead]!,
      seriesCreated: head.index.numSeries - this.#replayedSeries,
      seriesRefused: head.seriesRefused,
      samplesRefused: head.samplesRefused,
      chunksCreated: head.table.chunksCreated,
      headMemoryLimitBytes: this.#headMemoryLimitBytes,
      arenaUsedBytes: this.#options.kernels.arena.usedBytes,
      replay: this.#replay,
    };
  }

  cardinality(limit: number): Cardinality {
    return cardinality(this.head.view, limit);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.#wal.close();
    } finally {
      this.#lock.release();
    }
  }
}
