import { type Labels, METRIC_NAME, parseFloatStrict, quote } from '../../model/index.ts';
import { type ColumnSeries, isFloat, newSeries, renamed } from '../eval/columns.ts';
import { LabelsMap } from '../eval/labels-map.ts';
import { ENTRY_BYTES, labelsBytes, newSeriesBytes } from '../eval/memory.ts';
import type { Expr } from '../parse/ast.ts';
import { bucketQuantile, Buckets } from './buckets.ts';
import type { InstantCall } from './instant-call.ts';
import { MonotonicityNote } from './monotonicity-note.ts';

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
  const groups = new LabelsMap<{ labels: Labels; buckets: { bound: number; series: ColumnSeries }[] }>();
  for (const series of input) {
    const le = series.labels.get('le');
    const bound = parseFloatStrict(le);
    if (bound === undefined) {
      warnOfBound(call, series, le, arg);
      continue;
    }
    const labels = series.labels.without(BUCKET_LABEL);
    call.context.takeBytes(2 * ENTRY_BYTES);
    const group = groups.ensure(labels, () => {
      call.context.takeBytes(labelsBytes(labels) + 3 * ENTRY_BYTES);
      return { labels, buckets: [] };
    });
    group.buckets.push({ bound, series });
  }
  return groups.values.map(({ labels, buckets }) => {
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
    const { series, bounds } = histogram;
    for (let step = 0; step < call.grid.count; step++) {
      buckets.clear();
      for (let i = 0; i < series.length; i++) {
        if (isFloat(series[i]!, step)) buckets.push(bounds[i]!, series[i]!.values[step]!);
      }
      if (buckets.length === 0 || isSkipped(step, histogram)) continue;
      output.present[step] = 1;
      output.values[step] = compute(buckets, step, histogram);
    }
    return output;
  });
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
  const { grid, context } = call;
  const series = evaluateClassic(call, histograms, labelsOf, isSkipped, (buckets, step, histogram) => {
    const value = bucketQuantile(quantiles[step]!, buckets);
    if (buckets.wasForced) {
      const metric = ofMetric(call, histogram.labels);
      let note = context.monotonicity.get(metric);
      if (note === undefined) context.monotonicity.set(metric, (note = new MonotonicityNote(metric, arg)));
      note.add(buckets, grid.startMs + step * grid.stepMs);
    }
    return value;
  });
  for (const note of context.monotonicity.values()) note.report(context);
  return series;
}
