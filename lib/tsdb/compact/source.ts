import type { Labels } from '../../model/index.ts';
import type { Chunk, Interval } from '../chunk/chunk.ts';

/** One series as compaction reads it. */
export interface SourceSeries {
  readonly labels: Labels;
  /** Ordered by first time; may overlap within an out-of-order head only. */
  readonly chunks: Iterable<Chunk>;
  /** Sorted, disjoint: samples within are left out. */
  readonly deleted: readonly Interval[];
}

/** What compaction reads: a block, or a range of the head. Read once, front to back, in bounded memory. */
export interface CompactionSource {
  readonly minTimeMs: number;
  /** Exclusive, as in meta.json. */
  readonly maxTimeMs: number;
  /** All symbols of the series, sorted by UTF-8 bytes, unique. */
  symbols(): Iterable<string>;
  /** Sorted by labels. A series is valid until the next is asked for. */
  series(): Iterable<SourceSeries>;
}
