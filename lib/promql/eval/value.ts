import type { Annotations, FloatHistogram, Labels } from '../../model/index.ts';

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

export interface QueryResult {
  readonly value: QueryValue;
  readonly annotations: Annotations;
}
