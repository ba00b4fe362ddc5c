import { formatFloat, type Labels, METRIC_NAME, parseFloatStrict, quote } from '../../model/index.ts';
import { type ColumnSeries, type Columns, isFloat, newSeries, renamed, withLabel } from '../eval/columns.ts';
import { ENTRY_BYTES, labelsBytes, newSeriesBytes } from '../eval/memory.ts';
import type { Expr } from '../parse/ast.ts';
import { bucketFraction, bucketQuantile, Buckets } from './buckets.ts';
import { type InstantCall, scalarArgument, vectorArgument } from './instant-call.ts';

const BUCKET_LABEL: ReadonlySet<string> = new Set(['le']);

/** The bucket series of one classic histogram, by upper bound. */
interface ClassicHistogram {
  readonly labels: Labels;
  readonly bounds: Float64Array;
  readonly series: readonly ColumnSeries[];
}

function groupBuckets(call: InstantCall, input: readonly ColumnSeries[], arg: Expr): ClassicHistogram[] {
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

/** Native histograms have no `le`; they are left out here. */
function warnOfBound(call: InstantCall, series: ColumnSeries, le: string, arg: Expr): void {
  if (!series.present.some((_, step) => isFloat(series, step))) return;
  const name = call.context.delayedNameRemoval ? series.labels.get(METRIC_NAME) : '';
  const metric = name === '' ? '' : ` for metric name ${quote(name)}`;
  call.context.warn(`bucket label "le" is missing or has a malformed value of ${quote(le)}${metric}`, arg);
}

/** Evaluates each histogram at each step at which it has buckets. */
function evaluateHistograms(
  call: InstantCall,
  histograms: readonly ClassicHistogram[],
  labelsOf: (labels: Labels) => Labels,
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
      if (buckets.length === 0) continue;
      output.present[step] = 1;
      output.values[step] = compute(buckets, step, histogram);
    }
    return output;
  });
}

function warnOfQuantile(call: InstantCall, quantiles: Float64Array, arg: Expr): void {
  const bad = quantiles.find((q) => !(q >= 0 && q <= 1));
  if (bad !== undefined) {
    call.context.warn(`quantile value should be between 0 and 1, got ${formatFloat(bad)}`, arg);
  }
}

/** Remembers where counts had to be forced to grow with the bounds, over all steps, for one note at the end. */
class MonotonicityNote {
  #steps = 0;
  #firstMs = Infinity;
  #lastMs = -Infinity;
  #minBound = Infinity;
  #maxBound = -Infinity;
  #maxDifference = 0;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
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
    const metric = this.#name === '' ? '' : ` for metric name ${quote(this.#name)}`;
    const time = (ms: number): string => `${new Date(Math.trunc(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
    call.context.info(
      `input to histogram_quantile needed to be fixed for monotonicity (see ${guide})${metric}, ` +
        `from buckets ${this.#minBound} to ${this.#maxBound}, with a max diff of ` +
        `${Number(this.#maxDifference.toPrecision(2))}, over ${this.#steps} samples ` +
        `from ${time(this.#firstMs)} to ${time(this.#lastMs)}`,
      arg,
    );
  }
}

function quantileSeries(
  call: InstantCall,
  histograms: readonly ClassicHistogram[],
  quantiles: Float64Array,
  arg: Expr,
  labelsOf: (labels: Labels) => Labels = (labels) => labels,
): ColumnSeries[] {
  const notes = new Map<string, MonotonicityNote>();
  const { grid, context } = call;
  const series = evaluateHistograms(call, histograms, labelsOf, (buckets, step, histogram) => {
    const value = bucketQuantile(quantiles[step]!, buckets);
    if (buckets.wasForced) {
      const name = context.delayedNameRemoval ? histogram.labels.get(METRIC_NAME) : '';
      let note = notes.get(name);
      if (note === undefined) notes.set(name, (note = new MonotonicityNote(name)));
      note.add(buckets, grid.startMs + step * grid.stepMs);
    }
    return value;
  });
  for (const note of notes.values()) note.report(call, arg);
  return series;
}

/** `histogram_quantile(φ, buckets)` for classic histograms. */
export function histogramQuantile(call: InstantCall): Columns {
  const [quantileArg, bucketArg] = call.expr.args as readonly [Expr, Expr];
  const quantiles = scalarArgument(call, 0);
  warnOfQuantile(call, quantiles, quantileArg);
  const histograms = groupBuckets(call, vectorArgument(call, 1), bucketArg);
  return { type: 'vector', series: quantileSeries(call, histograms, quantiles, bucketArg) };
}

/** `histogram_quantiles(buckets, label, φ…)`: one series per quantile, told apart by the label. */
export function histogramQuantiles(call: InstantCall): Columns {
  const bucketArg = call.expr.args[0]!;
  const [label = ''] = call.strings;
  const histograms = groupBuckets(call, vectorArgument(call), bucketArg);
  const series: ColumnSeries[] = [];
  for (let i = 1; i < call.columns.length; i++) {
    const quantiles = scalarArgument(call, i);
    warnOfQuantile(call, quantiles, call.expr.args[i + 1]!);
    const text = openMetricsFloat(quantiles[0]!);
    series.push(...quantileSeries(call, histograms, quantiles, bucketArg, (labels) => withLabel(labels, label, text)));
  }
  return { type: 'vector', series };
}

/** A float as OpenMetrics writes it in labels: always with a point or an exponent. */
function openMetricsFloat(value: number): string {
  const text = formatFloat(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/** `histogram_fraction(lower, upper, buckets)` for classic histograms. */
export function histogramFraction(call: InstantCall): Columns {
  const lower = scalarArgument(call, 0);
  const upper = scalarArgument(call, 1);
  const histograms = groupBuckets(call, vectorArgument(call, 2), call.expr.args[2]!);
  const fraction = (buckets: Buckets, step: number): number => bucketFraction(lower[step]!, upper[step]!, buckets);
  return { type: 'vector', series: evaluateHistograms(call, histograms, (labels) => labels, fraction) };
}
