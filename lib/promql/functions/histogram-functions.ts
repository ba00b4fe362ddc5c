import {
  type FloatHistogram,
  formatGeneral,
  formatOpenMetricsFloat,
  type Labels,
  METRIC_NAME,
} from '../../model/index.ts';
import { type ColumnSeries, type Columns, hasHistograms, renamed } from '../eval/columns.ts';
import { histogramFraction, histogramQuantile, NaNNotes } from '../histogram/quantile.ts';
import type { Expr } from '../parse/ast.ts';
import { bucketFraction } from './buckets.ts';
import { classicQuantiles, evaluateClassic, ofMetric } from './classic-histogram.ts';
import { evaluateNative, type HistogramInput, histogramInput } from './histogram-input.ts';
import { type InstantCall, type InstantFunction, scalarArgument, vectorArgument } from './instant-call.ts';

const NAME: ReadonlySet<string> = new Set([METRIC_NAME]);

/** A number of each native histogram; floats are left out. Of the metric's labels the name goes alone. */
export function histogramNumber(compute: (histogram: FloatHistogram) => number): InstantFunction {
  return (call) => {
    const native = vectorArgument(call).filter(hasHistograms);
    const labelsOf = (labels: Labels): Labels => (call.context.delayedNameRemoval ? labels : labels.without(NAME));
    return { type: 'vector', series: evaluateNative(call, native, labelsOf, () => false, compute) };
  };
}

function keepLabels(labels: Labels): Labels {
  return labels;
}

function warnOfQuantile(call: InstantCall, quantiles: Float64Array, arg: Expr): void {
  for (const bad of new Set(quantiles.filter((q) => !(q >= 0 && q <= 1)))) {
    call.context.warn(`quantile value should be between 0 and 1, got ${formatGeneral(bad)}`, arg);
  }
}

/** The φ-quantiles of histograms of either kind, at the steps where `isAsked`. */
function quantileSeries(
  call: InstantCall,
  input: HistogramInput,
  quantiles: Float64Array,
  arg: Expr,
  labelsOf: (labels: Labels) => Labels = keepLabels,
  isAsked: (step: number) => boolean = () => true,
): ColumnSeries[] {
  const isSkipped = (step: number, { labels }: { labels: Labels }): boolean =>
    !isAsked(step) || input.conflicts.get(labels.key)?.[step] === 1;
  const notes = new NaNNotes();
  const renamedLabelsOf = (labels: Labels): Labels => labelsOf(renamed(call.context, labels).labels);
  const native = evaluateNative(call, input.native, renamedLabelsOf, isSkipped, (histogram, step, { labels }) => {
    const value = histogramQuantile(quantiles[step]!, histogram, notes);
    if (notes.isResult || notes.areCounted) noteNaN(call, notes, labels, arg);
    return value;
  });
  return [...native, ...classicQuantiles(call, input.classic, quantiles, arg, labelsOf, isSkipped)];
}

function noteNaN(call: InstantCall, notes: NaNNotes, labels: Labels, arg: Expr): void {
  const result = notes.isResult ? 'result is NaN' : 'result is skewed higher';
  notes.isResult = false;
  notes.areCounted = false;
  call.context.info(`input to histogram_quantile has NaN observations, ${result}${ofMetric(call, labels)}`, arg);
}

/** `histogram_quantile(φ, histograms)` */
export function histogramQuantileCall(call: InstantCall): Columns {
  const [quantileArg, histogramArg] = call.expr.args as readonly [Expr, Expr];
  const quantiles = scalarArgument(call, 0);
  warnOfQuantile(call, quantiles, quantileArg);
  const input = histogramInput(call, vectorArgument(call, 1), histogramArg);
  return { type: 'vector', series: quantileSeries(call, input, quantiles, histogramArg) };
}

/** `histogram_quantiles(histograms, label, φ…)`: one series per quantile, told apart by the label. */
export function histogramQuantilesCall(call: InstantCall): Columns {
  const histogramArg = call.expr.args[0]!;
  const [label = ''] = call.strings;
  for (let i = 1; i < call.columns.length; i++) warnOfQuantile(call, scalarArgument(call, i), call.expr.args[i + 1]!);
  const input = histogramInput(call, vectorArgument(call), histogramArg);
  const series: ColumnSeries[] = [];
  for (let i = 1; i < call.columns.length; i++) {
    const quantiles = scalarArgument(call, i);
    for (const q of new Set(quantiles)) {
      const text = formatOpenMetricsFloat(q);
      const isAsked = (step: number): boolean =>
        quantiles[step] === q || (q !== q && quantiles[step] !== quantiles[step]);
      const labelled = (labels: Labels): Labels => labels.with(label, text);
      series.push(...quantileSeries(call, input, quantiles, histogramArg, labelled, isAsked));
    }
  }
  return { type: 'vector', series };
}

/** `histogram_fraction(lower, upper, histograms)` */
export function histogramFractionCall(call: InstantCall): Columns {
  const lower = scalarArgument(call, 0);
  const upper = scalarArgument(call, 1);
  const arg = call.expr.args[2]!;
  const input = histogramInput(call, vectorArgument(call, 2), arg);
  const isSkipped = (step: number, { labels }: { labels: Labels }): boolean =>
    input.conflicts.get(labels.key)?.[step] === 1;
  const notes = new NaNNotes();
  const labelsOf = (labels: Labels): Labels => renamed(call.context, labels).labels;
  const native = evaluateNative(call, input.native, labelsOf, isSkipped, (histogram, step, { labels }) => {
    const value = histogramFraction(lower[step]!, upper[step]!, histogram, notes);
    if (notes.areCounted) {
      notes.areCounted = false;
      const what = 'input to histogram_fraction has NaN observations, which are excluded from all fractions';
      call.context.info(what + ofMetric(call, labels), arg);
    }
    return value;
  });
  const classic = evaluateClassic(call, input.classic, keepLabels, isSkipped, (buckets, step) =>
    bucketFraction(lower[step]!, upper[step]!, buckets),
  );
  return { type: 'vector', series: [...native, ...classic] };
}
