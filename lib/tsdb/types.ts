export interface TsdbLimits {
  /** Series in the head; further ones are refused. Default 0: no limit. */
  readonly maxSeries: number;
  /** How far ahead of the clock a sample may be. Default 10 min, 0: no limit. */
  readonly maxFutureMs: number;
  /**
   * Shared memory for series, labels, postings and chunks, and what the kernels work in. New series are refused
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
  /** Histograms and exemplars that no head takes. */
  readonly invalidSamples: number;
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
