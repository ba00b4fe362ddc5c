import type { Labels } from '../../model/index.ts';
import type { Chunk, Interval } from '../../chunk/index.ts';

/** One series as compaction reads it. */
export interface SourceSeries {
  readonly labels: Labels;
  /** Ordered by first time; they overlap only where the source says so. */
  readonly chunks: Iterable<Chunk>;
  /** Sorted, disjoint: samples within are left out. */
  readonly deleted: readonly Interval[];
}

/** What compaction reads: a block, or a range of the head. Read once, front to back, in bounded memory. */
export interface CompactionSource {
  readonly minTimeMs: number;
  /** Exclusive, as in meta.json. */
  readonly maxTimeMs: number;
  /** Set by the out-of-order head: chunks of a series may overlap, and are then merged. */
  readonly overlapping?: true;
  /** All symbols of the series, sorted by UTF-8 bytes, unique. */
  symbols(): Iterable<string>;
  /** Sorted by labels. A series is valid until the next is asked for. */
  series(): Iterable<SourceSeries>;
}
