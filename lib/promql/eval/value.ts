import type { Annotations, FloatHistogram, Labels } from '../../model/index.ts';
import type { CountedSamples } from './sample-counts.ts';

export interface VectorSample {
  readonly labels: Labels;
  readonly timestampMs: number;
  /** NaN when `histogram` is set. */
  readonly value: number;
  readonly histogram?: FloatHistogram;
}

export interface MatrixSeries {
  readonly labels: Labels;
  /** Ascending, ms. */
  readonly timestamps: Float64Array;
  /** Same length as `timestamps`; NaN where `histograms` holds one. */
  readonly values: Float64Array;
  /** Sparse, by index into `timestamps`; absent when the series has floats only. */
  readonly histograms?: readonly (FloatHistogram | undefined)[];
}

/** The answer to a query. A range query always yields a matrix, sorted by labels. */
export type QueryValue =
  | { readonly type: 'scalar'; readonly timestampMs: number; readonly value: number }
  | { readonly type: 'string'; readonly timestampMs: number; readonly value: string }
  | { readonly type: 'vector'; readonly samples: readonly VectorSample[] }
  | { readonly type: 'matrix'; readonly series: readonly MatrixSeries[] };

/** What a query looked at; per step by the steps of the query. */
export interface QuerySamples extends CountedSamples {
  /**
   * The most that were held at a time. Series are evaluated one by one here, and by all their steps: it is another number
   * than Prometheus's.
   */
  readonly peak: number;
}

export interface QueryResult {
  readonly value: QueryValue;
  readonly annotations: Annotations;
  /** When they were to be counted. */
  readonly samples: QuerySamples | undefined;
  /** Samples that were read from storage, by others who helped too. */
  readonly loadedSamples: number;
}
