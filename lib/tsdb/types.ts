import type { Clock, FileSystem, Logger } from '../env/index.ts';
import type { Kernels } from '../kernels/index.ts';
import type { Appendable, Queryable } from '../storage/index.ts';

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
  readonly limits?: Partial<TsdbLimits>;
  /** Called during replay, after each segment and every few seconds. */
  readonly onReplayProgress?: (progress: ReplayProgress) => void;
}

export interface TsdbLimits {
  /** Series in the head; further ones are refused. Default 0: no limit. */
  readonly maxSeries: number;
  /** How far ahead of the clock a sample may be. Default 10 min, 0: no limit. */
  readonly maxFutureMs: number;
  /**
   * Shared memory for series, postings and chunks; label texts lie in the heap and are not counted. New series are refused
   * when seven eighths of it are in use, all samples when all of it is. Default 1 GiB, 0: what the memory can hold (4 GiB).
   */
  readonly headMemoryBytes: number;
}

/** Indexes of log segments, the first while a checkpoint is read; counts so far. */
export interface ReplayProgress {
  readonly firstSegment: number;
  readonly segment: number;
  readonly lastSegment: number;
  readonly records: number;
  readonly samples: number;
}

/** What opening the directory found. */
export interface ReplayReport {
  readonly segments: number;
  readonly records: number;
  readonly samples: number;
  /** Records of types this head does not hold (exemplars, metadata, tombstones, histograms), per type name. */
  readonly skippedRecords: Readonly<Record<string, number>>;
  /** Samples naming a series whose record is not in the WAL. */
  readonly unknownSeriesSamples: number;
  /** Damaged stretches that were skipped, in the order found. */
  readonly damage: readonly WalDamage[];
  readonly durationMs: number;
}

export interface WalDamage {
  readonly file: string;
  readonly offsetBytes: number;
  readonly lostBytes: number;
  readonly reason: string;
  /** Where the damaged file was kept; undefined for a torn tail, which was never acknowledged. */
  readonly keptAs: string | undefined;
  /** The end of the last file, cut off within a write that was never acknowledged. */
  readonly torn?: true;
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
  /** 0: none. */
  readonly headMemoryLimitBytes: number;
  /** Bytes of the shared memory in use by this head and its kernels' users. */
  readonly arenaUsedBytes: number;
  readonly replay: ReplayReport;
}

/** The largest by count, for `/api/v1/status/tsdb`; each list descending, at most the asked length. */
export interface Cardinality {
  readonly seriesCountByMetricName: readonly NamedCount[];
  readonly labelValueCountByLabelName: readonly NamedCount[];
  readonly memoryInBytesByLabelName: readonly NamedCount[];
  readonly seriesCountByLabelValuePair: readonly NamedCount[];
}

export interface NamedCount {
  readonly name: string;
  readonly value: number;
}

/** The node's database. Everything runs on the thread that opened it. */
export interface Tsdb extends Queryable, Appendable {
  stats(): TsdbStats;
  cardinality(limit: number): Cardinality;
  /** Fsyncs and closes the WAL and frees the directory. Appenders still open are lost. */
  close(): Promise<void>;
}
