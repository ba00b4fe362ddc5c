import { type FloatHistogram, type Labels, LabelsBuilder, METRIC_NAME } from '../../model/index.ts';
import { executionError, type QueryContext } from './context.ts';
import { newSeriesBytes, stepsBytes } from './memory.ts';
import type { MatrixSeries } from './value.ts';

/** The times an expression is evaluated at: `startMs + i × stepMs`, 0 ≤ i < count. */
export interface StepGrid {
  readonly startMs: number;
  /** Above 0, also when there is one step only. */
  readonly stepMs: number;
  readonly count: number;
}

export function gridEndMs(grid: StepGrid): number {
  return grid.startMs + (grid.count - 1) * grid.stepMs;
}

/** One series over a grid. All arrays are as long as the grid. */
export interface ColumnSeries {
  readonly labels: Labels;
  /** The metric name goes when the result is complete (Prometheus's delayed name removal). */
  readonly dropName: boolean;
  readonly values: Float64Array;
  /** 1 where there is a sample; `values` is undefined elsewhere. */
  readonly present: Uint8Array;
  /** Sparse: native histograms by step, their `values` are NaN. Absent when the series has none. */
  readonly histograms?: (FloatHistogram | undefined)[];
}

export type Columns =
  | { readonly type: 'scalar'; readonly values: Float64Array }
  | { readonly type: 'vector'; readonly series: readonly ColumnSeries[] };

export function newSeries(grid: StepGrid, labels: Labels, dropName = false): ColumnSeries {
  return { labels, dropName, values: new Float64Array(grid.count), present: new Uint8Array(grid.count) };
}

export function hasSamples(series: ColumnSeries): boolean {
  return series.present.includes(1);
}

/** The step holds a float, not a histogram. */
export function isFloat(series: ColumnSeries, step: number): boolean {
  return series.present[step] === 1 && series.histograms?.[step] === undefined;
}

/** What a value costs of the sample budget: columns are dense, so an absent sample takes as much memory as any. */
export function countSamples(columns: Columns): number {
  if (columns.type === 'scalar') return columns.values.length;
  return columns.series.length * (columns.series[0]?.values.length ?? 0);
}

/** The samples that are there, with their times. */
export function toMatrixSeries(series: ColumnSeries, grid: StepGrid): MatrixSeries {
  let count = 0;
  for (const flag of series.present) count += flag;
  const timestamps = new Float64Array(count);
  const values = new Float64Array(count);
  const histograms: (FloatHistogram | undefined)[] = [];
  let at = 0;
  for (let i = 0; i < grid.count; i++) {
    if (series.present[i] === 0) continue;
    timestamps[at] = grid.startMs + i * grid.stepMs;
    values[at] = series.values[i]!;
    const histogram = series.histograms?.[i];
    if (histogram !== undefined) histograms[at] = histogram;
    at++;
  }
  const { labels } = series;
  return histograms.length === 0 ? { labels, timestamps, values } : { labels, timestamps, values, histograms };
}

/** Labels that describe the metric rather than the series; they go with the name. */
const METADATA_LABELS: ReadonlySet<string> = new Set([METRIC_NAME, '__type__', '__unit__']);

export function withoutMetadata(labels: Labels): Labels {
  return labels.without(METADATA_LABELS);
}

/** Any non-empty UTF-8 text; bytes of a query that were not UTF-8 were read as U+FFFD. */
export function isLabelName(name: string): boolean {
  return name !== '' && !name.includes('\uFFFD');
}

export function withLabel(labels: Labels, name: string, value: string): Labels {
  return new LabelsBuilder(labels).set(name, value).labels();
}

/** A series whose value is no longer that of the metric: its name goes, now or at the end. */
export function renamed(context: QueryContext, labels: Labels): { labels: Labels; dropName: boolean } {
  return { labels: context.delayedNameRemoval ? labels : withoutMetadata(labels), dropName: true };
}

const SAME_LABELS = 'vector cannot contain metrics with the same labelset';

/**
 * Joins series with equal labels into one.
 * @throws PromletError `promql/execution` when two of them have a sample at the same step
 */
export function mergeEqualLabels(series: readonly ColumnSeries[], context: QueryContext): readonly ColumnSeries[] {
  const byLabels = new Map<string, ColumnSeries>();
  for (const one of series) {
    const existing = byLabels.get(one.labels.key);
    if (existing !== undefined) context.takeBytes(stepsBytes(one.values.length));
    byLabels.set(one.labels.key, existing === undefined ? one : joined(existing, one));
  }
  return byLabels.size === series.length ? series : [...byLabels.values()];
}

function joined(a: ColumnSeries, b: ColumnSeries): ColumnSeries {
  const out = { ...a, values: a.values.slice(), present: a.present.slice() };
  const histograms = [...(a.histograms ?? [])];
  for (let i = 0; i < out.present.length; i++) {
    if (b.present[i] === 0) continue;
    if (out.present[i] === 1) throw executionError(SAME_LABELS);
    out.present[i] = 1;
    out.values[i] = b.values[i]!;
    if (b.histograms?.[i] !== undefined) histograms[i] = b.histograms[i];
  }
  return a.histograms === undefined && b.histograms === undefined ? out : { ...out, histograms };
}

/** Collects output samples by labels; two samples of one label set at one step are an error. */
export class SeriesCollector {
  readonly #grid: StepGrid;
  readonly #context: QueryContext;
  readonly #byLabels = new Map<string, ColumnSeries>();

  constructor(grid: StepGrid, context: QueryContext) {
    this.#grid = grid;
    this.#context = context;
  }

  /** The series to write to; only `put` may write. @throws PromletError `promql/too-many-bytes` */
  series(labels: Labels, dropName: boolean): ColumnSeries {
    let series = this.#byLabels.get(labels.key);
    if (series === undefined) {
      this.#context.takeBytes(newSeriesBytes(this.#grid, labels));
      series = newSeries(this.#grid, labels, dropName);
      this.#byLabels.set(labels.key, series);
    }
    return series;
  }

  put(series: ColumnSeries, step: number, value: number): void {
    if (series.present[step] === 1) throw executionError(SAME_LABELS);
    series.present[step] = 1;
    series.values[step] = value;
  }

  /** Those with samples, in the order they were first asked for. */
  result(): ColumnSeries[] {
    return [...this.#byLabels.values()].filter(hasSamples);
  }
}
