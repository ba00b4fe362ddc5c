import type { Clock, FileSystem, Logger, Random } from '../env/index.ts';
import type { Kernels } from '../kernels/index.ts';
import type { Matcher } from '../model/index.ts';
import type { Appendable, ExemplarQueryable, Metadata, Queryable } from '../storage/index.ts';
import type { BlockMeta } from './block/meta.ts';
import type { BlockSetStats } from './blocks.ts';
import type { CompactorStats } from './compact/compactor.ts';
import type { CompactionRunner } from './compact/runner.ts';
import type { HeadChunksReport } from './head-chunks/load.ts';
import type { Loan } from './reader.ts';
import type { RetentionOptions } from './retention.ts';
import type { Cardinality, ReplayProgress, ReplayReport, TsdbLimits } from './types.ts';

/** What `openTsdb` needs. All times in ms. */
export interface TsdbOptions {
  /** The data directory; created when missing. Prometheus's layout: `wal/`, `lock`. */
  readonly dir: string;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly kernels: Kernels;
  /** Width of a head block; chunks never cross a multiple of it. Default 2 h. */
  readonly minBlockDurationMs?: number;
  /** How often the WAL is fsynced, which is what a power loss may cost. Default 5 s. */
  readonly walFsyncIntervalMs?: number;
  /** Default `snappy`. */
  readonly walCompression?: 'none' | 'snappy';
  /** Default 128 MiB. */
  readonly walSegmentBytes?: number;
  /** The longest block that compaction makes. Default: a tenth of the retention, at most 31 days, as in Prometheus. */
  readonly maxBlockDurationMs?: number;
  readonly retention?: Partial<RetentionOptions>;
  /** How much older than the newest sample of the head one may be. Default 0: none is taken out of order. */
  readonly outOfOrderWindowMs?: number;
  /** Exemplars kept in memory, over all series. Default 0: none. */
  readonly maxExemplars?: number;
  /** How often chunks are put on file, the head is offered for compaction and retention is looked at. Default 1 min. */
  readonly maintenanceIntervalMs?: number;
  /** Where compaction happens. Default: on this thread, a few ms at a time. */
  readonly compactionRunner?: CompactionRunner;
  /** For pages of blocks. Default 32 MiB. */
  readonly blockCacheBytes?: number;
  /** Space that is kept free on disk; below it no new series are taken. Default a twentieth of the disk, at most 1 GiB. */
  readonly reservedDiskBytes?: number;
  readonly random?: Random;
  readonly limits?: Partial<TsdbLimits>;
  /** Called during replay, after each segment and every few seconds. */
  readonly onReplayProgress?: (progress: ReplayProgress) => void;
}

/** Counters since the process started, and sizes now. */
export interface TsdbStats {
  readonly numSeries: number;
  readonly numChunks: number;
  readonly numLabelPairs: number;
  /** Of all samples in the head; undefined while it is empty. */
  readonly minTimeMs: number | undefined;
  readonly maxTimeMs: number | undefined;
  readonly walSegment: number;
  readonly walSegments: number;
  readonly walBytesWritten: number;
  readonly walWriteFailures: number;
  readonly walFsyncs: number;
  readonly walFsyncFailures: number;
  readonly samplesAppended: number;
  readonly samplesOutOfOrder: number;
  readonly samplesDuplicate: number;
  readonly samplesTooOld: number;
  readonly samplesTooFarAhead: number;
  readonly seriesCreated: number;
  readonly seriesRefused: number;
  /** Of commits refused whole because the head is full. */
  readonly samplesRefused: number;
  readonly chunksCreated: number;
  readonly seriesRemoved: number;
  /** Out of order, and within the window. */
  readonly outOfOrderAppended: number;
  readonly exemplarsAppended: number;
  readonly exemplarsOutOfOrder: number;
  /** Put into `chunks_head/`. */
  readonly chunksMapped: number;
  readonly chunkMappingFailures: number;
  readonly headTruncations: number;
  readonly headTruncationFailures: number;
  readonly checkpoints: number;
  readonly checkpointFailures: number;
  readonly blocks: BlockSetStats;
  readonly compactor: CompactorStats;
  /** Of the log and of `chunks_head/`. */
  readonly walSizeBytes: number;
  readonly headChunksSizeBytes: number;
  /** ms; the oldest time in blocks or head, undefined when there is none. */
  readonly lowestTimeMs: number | undefined;
  readonly diskLow: boolean;
  /** 0: none. */
  readonly headMemoryLimitBytes: number;
  /** Bytes of the shared memory in use by this head and its kernels' users. */
  readonly arenaUsedBytes: number;
  readonly replay: ReplayReport;
  readonly headChunks: HeadChunksReport;
}

/** What may change while the database is open (`DB.ApplyConfig`). */
export type TsdbSettings = Pick<TsdbOptions, 'retention' | 'outOfOrderWindowMs' | 'maxExemplars'>;

/** The node's database. It belongs to the thread that opened it; compactions may run on others. */
export interface Tsdb extends Queryable, Appendable, ExemplarQueryable {
  stats(): TsdbStats;
  cardinality(limit: number): Cardinality;
  /** What the metrics in the head say of themselves, by metric name. */
  metadata(): ReadonlyMap<string, readonly Metadata[]>;
  /** Lends the database to another thread of the process, to be read there by a `TsdbReader`. */
  lend(): Loan;
  /** In order of their first time. */
  blocks(): readonly BlockMeta[];
  /** @throws PromletError `storage/wal-write` when the log of out-of-order samples cannot be begun */
  configure(settings: TsdbSettings): void;
  /**
   * Does what maintenance does, now: puts chunks on file, compacts what can be compacted, applies retention.
   * @throws PromletError `storage/…`: nothing is lost, maintenance tries again
   */
  compact(): Promise<void>;
  /**
   * Deletes the samples of matching series within [minMs, maxMs], both inclusive: they are not read any more from then on,
   * and leave the disk when they are compacted.
   * @throws PromletError `storage/wal-write`, `storage/block-write`, … when that cannot be noted everywhere
   */
  deleteSeries(minMs: number, maxMs: number, matchers: readonly Matcher[]): Promise<void>;
  /** Writes blocks anew without what was deleted. @throws PromletError `storage/…` */
  cleanTombstones(): Promise<void>;
  /**
   * Makes a copy of the data that any Prometheus can open: hard links to the blocks, and, unless told otherwise, the head as a block of its own.
   * @param to a directory on the same file system, made when missing
   * @throws PromletError `storage/snapshot`, `storage/block-write`
   */
  snapshot(to: string, withHead?: boolean): Promise<void>;
  /** Fsyncs and closes the WAL and frees the directory. Appenders still open are lost. */
  close(): Promise<void>;
}
