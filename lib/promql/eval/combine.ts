import type { FloatHistogram, Labels } from '../../model/index.ts';
import { type ColumnSeries, hasSamples, newSeries, type StepGrid } from './columns.ts';
import { executionError, type QueryContext } from './context.ts';
import { areDistinct } from './labels-hash.ts';
import { LabelsMap } from './labels-map.ts';
import { newSeriesBytes, stepsBytes } from './memory.ts';

const SAME_LABELS = 'vector cannot contain metrics with the same labelset';

/**
 * Joins series with equal labels into one.
 * @throws PromletError `promql/execution` when two of them have a sample at the same step
 */
export function mergeEqualLabels(series: readonly ColumnSeries[], context: QueryContext): readonly ColumnSeries[] {
  if (areDistinct(series)) return series;
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
  for (let i = 0; i < out.present.length; i++) {
    if (b.present[i] === 0) continue;
    if (out.present[i] === 1) throw executionError(SAME_LABELS);
    out.present[i] = 1;
    out.values[i] = b.values[i]!;
  }
  if (a.histograms === undefined && b.histograms === undefined) return out;
  const histograms: (FloatHistogram | undefined)[] = [];
  for (let i = 0; i < out.present.length; i++) {
    const histogram = (b.present[i] === 1 ? b : a).histograms?.[i];
    if (histogram !== undefined) histograms[i] = histogram;
  }
  return { ...out, histograms };
}

/** A series that is still being filled. */
type OpenSeries = ColumnSeries & { histograms?: (FloatHistogram | undefined)[] };

/** Collects output samples by labels; two samples of one label set at one step are an error. */
export class SeriesCollector {
  readonly #grid: StepGrid;
  readonly #context: QueryContext;
  readonly #byLabels = new LabelsMap<OpenSeries>();

  constructor(grid: StepGrid, context: QueryContext) {
    this.#grid = grid;
    this.#context = context;
  }

  /** The series to write to; only `put` may write. @throws PromletError `promql/too-many-bytes` */
  series(labels: Labels, dropName: boolean): OpenSeries {
    return this.#byLabels.ensure(labels, () => {
      this.#context.takeBytes(newSeriesBytes(this.#grid, labels));
      return newSeries(this.#grid, labels, dropName);
    });
  }

  put(series: OpenSeries, step: number, value: number): void {
    if (series.present[step] === 1) throw executionError(SAME_LABELS);
    series.present[step] = 1;
    series.values[step] = value;
  }

  putHistogram(series: OpenSeries, step: number, histogram: FloatHistogram): void {
    this.put(series, step, NaN);
    (series.histograms ??= [])[step] = histogram;
  }

  /** Those with samples, in the order they were first asked for. */
  result(): ColumnSeries[] {
    return this.#byLabels.values.filter(hasSamples);
  }
}
