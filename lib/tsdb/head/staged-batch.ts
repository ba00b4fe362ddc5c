import type { SharedArena } from '../../kernels/index.ts';
import type { FloatHistogram } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import type { WalCommit } from '../wal/commit.ts';
import type { LoggedExemplar } from '../wal/exemplar-record.ts';
import { HistogramSamples } from '../wal/histogram-record.ts';
import type { LoggedMetadata } from '../wal/metadata-record.ts';
import { SampleBuffer } from './columns.ts';

/** What kind of histograms a series gets: each goes to a record type of its own. */
export type HistogramKind = 'integer' | 'float' | 'custom integer' | 'custom float';

/**
 * Part of what an appender collected: of each series floats and then histograms of one kind, in this order (`appendBatch` of
 * tsdb/head_append.go). Where a series goes back to floats, or to another kind, the next batch begins.
 */
export class StagedBatch {
  readonly samples: SampleBuffer;
  readonly histograms = new HistogramSamples();
  readonly exemplars: LoggedExemplar[] = [];
  readonly metadata: LoggedMetadata[] = [];
  /** Of the series that have histograms in this batch. */
  readonly kinds = new Map<SeriesRef, HistogramKind>();

  constructor(arena: SharedArena) {
    this.samples = new SampleBuffer(arena);
  }

  get commit(): WalCommit {
    const { samples, histograms, exemplars, metadata } = this;
    return { metadata, samples, exemplars, ...(histograms.length > 0 ? { histograms } : {}) };
  }
}

export function kindOf({ integer, schema }: FloatHistogram): HistogramKind {
  if (schema === -53) return integer ? 'custom integer' : 'custom float';
  return integer ? 'integer' : 'float';
}
