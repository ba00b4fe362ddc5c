import type { FloatHistogram, Labels } from '../../model/index.ts';
import { type ColumnSeries, hasHistograms, isFloat, newSeries } from '../eval/columns.ts';
import { newSeriesBytes } from '../eval/memory.ts';
import type { Expr } from '../parse/ast.ts';
import { type ClassicHistogram, groupBuckets, ofMetric } from './classic-histogram.ts';
import type { InstantCall } from './instant-call.ts';

/** The argument of a function of histograms, classic ones put together from their buckets, native ones apart. */
export interface HistogramInput {
  readonly classic: readonly ClassicHistogram[];
  readonly native: readonly ColumnSeries[];
  /** By the labels of a histogram that is there in both forms: 1 at the steps where it is. Neither is evaluated there. */
  readonly conflicts: ReadonlyMap<string, Uint8Array>;
}

/** Prometheus `resetHistograms`. */
export function histogramInput(call: InstantCall, input: readonly ColumnSeries[], arg: Expr): HistogramInput {
  const classic = groupBuckets(call, input, arg);
  const native = input.filter(hasHistograms);
  const conflicts = new Map<string, Uint8Array>();
  if (native.length === 0) return { classic, native, conflicts };
  const classicByLabels = new Map(classic.map((histogram) => [histogram.labels.key, histogram]));
  for (const { labels, present, histograms } of native) {
    const buckets = classicByLabels.get(labels.key)?.series ?? [];
    const isConflicting = (step: number): boolean =>
      present[step] === 1 && histograms![step] !== undefined && buckets.some((series) => isFloat(series, step));
    const mask = Uint8Array.from(present, (_, step) => Number(isConflicting(step)));
    if (!mask.includes(1)) continue;
    conflicts.set(labels.key, mask);
    call.context.warn(`vector contains a mix of classic and native histograms${ofMetric(call, labels)}`, arg);
  }
  return { classic, native, conflicts };
}

/** Evaluates native histograms at each step where there is one, unless `isSkipped` says otherwise. */
export function evaluateNative(
  call: InstantCall,
  native: readonly ColumnSeries[],
  labelsOf: (labels: Labels) => Labels,
  isSkipped: (step: number, series: ColumnSeries) => boolean,
  compute: (histogram: FloatHistogram, step: number, series: ColumnSeries) => number,
): ColumnSeries[] {
  return native.map((series) => {
    call.context.takeBytes(newSeriesBytes(call.grid, series.labels));
    const output = newSeries(call.grid, labelsOf(series.labels), true);
    for (let step = 0; step < call.grid.count; step++) {
      const histogram = series.present[step] === 1 ? series.histograms?.[step] : undefined;
      if (histogram === undefined || isSkipped(step, series)) continue;
      output.present[step] = 1;
      output.values[step] = compute(histogram, step, series);
    }
    return output;
  });
}
