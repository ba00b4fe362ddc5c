import { type Labels, METRIC_NAME, parseFloatStrict, quote } from '../../model/index.ts';
import { type ColumnSeries, isFloat, newSeries, renamed } from '../eval/columns.ts';
import { ENTRY_BYTES, labelsBytes, newSeriesBytes } from '../eval/memory.ts';
import type { Expr } from '../parse/ast.ts';
import { bucketQuantile, Buckets } from './buckets.ts';
import type { InstantCall } from './instant-call.ts';

const BUCKET_LABEL: ReadonlySet<string> = new Set(['le']);

/** The bucket series of one classic histogram, by upper bound. */
export interface ClassicHistogram {
  /** Without `le`. */
  readonly labels: Labels;
  readonly bounds: Float64Array;
  readonly series: readonly ColumnSeries[];
}

/** The classic histograms among the series; of series that are none it warns. */
export function groupBuckets(call: InstantCall, input: readonly ColumnSeries[], arg: Expr): ClassicHistogram[] {
  const groups = new Map<string, { labels: Labels; buckets: { bound: number; series: ColumnSeries }[] }>();
  for (const series of input) {
    const le = series.labels.get('le');
    const bound = parseFloatStrict(le);
    if (bound === undefined) {
      warnOfBound(call, series, le, arg);
      continue;
    }
    const labels = series.labels.without(BUCKET_LABEL);
    const group = groups.get(labels.key);
    call.context.takeBytes(2 * ENTRY_BYTES);
    if (group !== undefined) {
      group.buckets.push({ bound, series });
      continue;
    }
    call.context.takeBytes(labelsBytes(labels) + 3 * ENTRY_BYTES);
    groups.set(labels.key, { labels, buckets: [{ bound, series }] });
  }
  return [...groups.values()].map(({ labels, buckets }) => {
    buckets.sort((a, b) => (a.bound < b.bound ? -1 : Number(a.bound > b.bound)));
    const bounds = Float64Array.from(buckets, ({ bound }) => bound);
    return { labels, bounds, series: buckets.map(({ series }) => series) };
  });
}

/** Native histograms need no `le`. */
function warnOfBound(call: InstantCall, series: ColumnSeries, le: string, arg: Expr): void {
  if (!series.present.some((_, step) => isFloat(series, step))) return;
  const what = `bucket label "le" is missing or has a malformed value of ${quote(le)}`;
  call.context.warn(what + ofMetric(call, series.labels), arg);
}

/** ` for metric name "x"`, as long as series still have their names. */
export function ofMetric(call: InstantCall, labels: Labels): string {
  const name = call.context.delayedNameRemoval ? labels.get(METRIC_NAME) : '';
  return name === '' ? '' : ` for metric name ${quote(name)}`;
}

/** Evaluates each histogram at each step at which it has buckets, unless `isSkipped` says otherwise. */
export function evaluateClassic(
  call: InstantCall,
  histograms: readonly ClassicHistogram[],
  labelsOf: (labels: Labels) => Labels,
  isSkipped: (step: number, histogram: ClassicHistogram) => boolean,
  compute: (buckets: Buckets, step: number, histogram: ClassicHistogram) => number,
): ColumnSeries[] {
  const buckets = new Buckets();
  return histograms.map((histogram) => {
    const { labels, dropName } = renamed(call.context, histogram.labels);
    call.context.takeBytes(newSeriesBytes(call.grid, labels));
    const output = newSeries(call.grid, labelsOf(labels), dropName);
    for (let step = 0; step < call.grid.count; step++) {
      buckets.clear();
      for (const [i, series] of histogram.series.entries()) {
        if (isFloat(series, step)) buckets.push(histogram.bounds[i]!, series.values[step]!);
      }
      if (buckets.length === 0 || isSkipped(step, histogram)) continue;
      output.present[step] = 1;
      output.values[step] = compute(buckets, step, histogram);
    }
    return output;
  });
}

/** Remembers where counts had to be forced to grow with the bounds, over all steps, for one note at the end. */
class MonotonicityNote {
  #steps = 0;
  #firstMs = Infinity;
  #lastMs = -Infinity;
  #minBound = Infinity;
  #maxBound = -Infinity;
  #maxDifference = 0;
  /** Of the metric, as `ofMetric` words it. */
  readonly #metric: string;

  constructor(metric: string) {
    this.#metric = metric;
  }

  add(buckets: Buckets, timeMs: number): void {
    this.#steps++;
    this.#firstMs = Math.min(this.#firstMs, timeMs);
    this.#lastMs = Math.max(this.#lastMs, timeMs);
    this.#minBound = Math.min(this.#minBound, buckets.forcedMinBound);
    this.#maxBound = Math.max(this.#maxBound, buckets.forcedMaxBound);
    this.#maxDifference = Math.max(this.#maxDifference, buckets.forcedMaxDifference);
  }

  report(call: InstantCall, arg: Expr): void {
    if (this.#steps === 0) return;
    const guide = 'https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile';
    const time = (ms: number): string => `${new Date(Math.trunc(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
    call.context.info(
      `input to histogram_quantile needed to be fixed for monotonicity (see ${guide})${this.#metric}, ` +
        `from buckets ${this.#minBound} to ${this.#maxBound}, with a max diff of ` +
        `${Number(this.#maxDifference.toPrecision(2))}, over ${this.#steps} samples ` +
        `from ${time(this.#firstMs)} to ${time(this.#lastMs)}`,
      arg,
    );
  }
}

/** The φ-quantiles of classic histograms, φ by step. */
export function classicQuantiles(
  call: InstantCall,
  histograms: readonly ClassicHistogram[],
  quantiles: Float64Array,
  arg: Expr,
  labelsOf: (labels: Labels) => Labels,
  isSkipped: (step: number, histogram: ClassicHistogram) => boolean,
): ColumnSeries[] {
  const notes = new Map<string, MonotonicityNote>();
  const { grid } = call;
  const series = evaluateClassic(call, histograms, labelsOf, isSkipped, (buckets, step, histogram) => {
    const value = bucketQuantile(quantiles[step]!, buckets);
    if (buckets.wasForced) {
      const metric = ofMetric(call, histogram.labels);
      let note = notes.get(metric);
      if (note === undefined) notes.set(metric, (note = new MonotonicityNote(metric)));
      note.add(buckets, grid.startMs + step * grid.stepMs);
    }
    return value;
  });
  for (const note of notes.values()) note.report(call, arg);
  return series;
}
