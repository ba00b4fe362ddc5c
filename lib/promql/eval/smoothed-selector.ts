import { type FloatHistogram, METRIC_NAME, SampleColumns } from '../../model/index.ts';
import { withHint } from '../histogram/arithmetic.ts';
import { hasCustomBuckets } from '../histogram/custom-bounds.ts';
import { interpolatedHistogram } from '../histogram/interpolate.ts';
import { HistogramNotes } from '../histogram/notes.ts';
import type { VectorSelector } from '../parse/ast.ts';
import { type ColumnSeries, hasSamples, newSeries, type StepGrid } from './columns.ts';
import type { QueryContext } from './context.ts';
import { interpolate } from './extended-range.ts';
import { type LookupTimes, lookupTimes } from './lookup-times.ts';
import { newSeriesBytes, seriesBytes } from './memory.ts';
import { withoutStaleMarkers } from './range-selector.ts';
import type { SelectorHints, SelectorReader } from './select.ts';

/**
 * A `smoothed` instant selector (Prometheus `smoothSeries`): at each step the value on the line between the samples around
 * it, as far as the lookback delta on either side; behind the last sample its value.
 */
export async function selectSmoothed(
  selector: VectorSelector,
  grid: StepGrid,
  context: QueryContext,
  reader: SelectorReader,
  hints: SelectorHints,
): Promise<ColumnSeries[]> {
  const times = lookupTimes(grid, selector.at as number | undefined, selector.offset as number);
  const { lookbackDeltaMs } = context;
  const out: ColumnSeries[] = [];
  const heldBefore = context.samples;
  const scratch = new SampleColumns();
  const notes = new HistogramNotes(context, selector);
  const minMs = times.firstMs - lookbackDeltaMs + 1;
  const selectHints = { ...hints, stepMs: grid.stepMs };
  await reader.read(selector, minMs, times.lastMs + lookbackDeltaMs, selectHints, ({ labels }, read) => {
    context.requireBytes(newSeriesBytes(grid, labels));
    notes.begin(labels.get(METRIC_NAME));
    const series = newSeries(grid, labels);
    const samples = withoutStaleMarkers(read, scratch);
    const histograms = fillSmoothed(series, samples, times, lookbackDeltaMs, notes);
    if (!hasSamples(series)) return;
    const found = histograms.length === 0 ? series : { ...series, histograms };
    out.push(found);
    context.takeBytes(seriesBytes(found));
    context.holdSamples(heldBefore + out.length * grid.count);
    context.countWork(grid.count);
  });
  return out;
}

/** Steps that have floats and histograms close to them have no value. @returns the histograms by step, sparse */
function fillSmoothed(
  series: ColumnSeries,
  samples: SampleColumns,
  times: LookupTimes,
  lookbackDeltaMs: number,
  notes: HistogramNotes,
): FloatHistogram[] {
  const { timestamps, values, length, histograms } = samples;
  const found: FloatHistogram[] = [];
  /** The samples low … high − 1 are close to the step, `next` is the first of them that is not before it. */
  let low = 0;
  let next = 0;
  let high = 0;
  /** Histograms among them. */
  let histogramCount = 0;
  for (let step = 0; step < series.values.length; step++) {
    const timeMs = times.firstMs + step * times.stepMs;
    for (; high < length && timestamps[high]! <= timeMs + lookbackDeltaMs; high++) {
      if (histograms?.[high] !== undefined) histogramCount++;
    }
    for (; low < high && timestamps[low]! <= timeMs - lookbackDeltaMs; low++) {
      if (histograms?.[low] !== undefined) histogramCount--;
    }
    next = Math.max(next, low);
    while (next < high && timestamps[next]! < timeMs) next++;
    if (histogramCount > 0 && histogramCount < high - low) {
      notes.say('mixedSamples');
      continue;
    }
    const isBetween = next === high || timestamps[next]! > timeMs;
    if (isBetween && next === low) continue;
    if (histogramCount > 0) {
      const histogram = isBetween ? histogramBetween(samples, next, high, timeMs, notes) : histograms![next];
      if (histogram === undefined) continue;
      found[step] = histogram;
      series.values[step] = NaN;
    } else if (!isBetween) series.values[step] = values[next]!;
    else series.values[step] = next < high ? interpolate(samples, next - 1, timeMs) : values[next - 1]!;
    series.present[step] = 1;
  }
  return found;
}

/** Between the samples before and at `next`, when there is one below `high`; else the one before, of which nothing is known. */
function histogramBetween(
  { timestamps, histograms }: SampleColumns,
  next: number,
  high: number,
  timeMs: number,
  notes: HistogramNotes,
): FloatHistogram | undefined {
  const before = { timeMs: timestamps[next - 1]!, histogram: histograms![next - 1]! };
  if (next === high) return withHint(before.histogram, 'unknown');
  const after = { timeMs: timestamps[next]!, histogram: histograms![next]! };
  const isGauge = before.histogram.counterResetHint === 'gauge' && after.histogram.counterResetHint === 'gauge';
  if (hasCustomBuckets(before.histogram) !== hasCustomBuckets(after.histogram)) {
    notes.say('mixedSchemas');
    return undefined;
  }
  return interpolatedHistogram(before, after, timeMs, !isGauge, notes);
}
