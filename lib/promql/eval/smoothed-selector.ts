import { METRIC_NAME, quote, SampleColumns } from '../../model/index.ts';
import type { VectorSelector } from '../parse/ast.ts';
import { type ColumnSeries, hasSamples, newSeries, type StepGrid } from './columns.ts';
import type { QueryContext } from './context.ts';
import { interpolate } from './extended-range.ts';
import { type LookupTimes, lookupTimes } from './instant-selector.ts';
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
  const minMs = times.firstMs - lookbackDeltaMs + 1;
  const selectHints = { ...hints, stepMs: grid.stepMs };
  await reader.read(selector, minMs, times.lastMs + lookbackDeltaMs, selectHints, (labels, read) => {
    context.requireBytes(newSeriesBytes(grid, labels));
    const series = newSeries(grid, labels);
    const isMixed = fillSmoothed(series, withoutStaleMarkers(read, scratch), times, lookbackDeltaMs);
    if (isMixed) {
      const name = quote(labels.get(METRIC_NAME));
      context.warn(`encountered a mix of histograms and floats for metric name ${name}`, selector);
    }
    if (!hasSamples(series)) return;
    out.push(series);
    context.takeBytes(seriesBytes(series));
    context.holdSamples(heldBefore + out.length * grid.count);
    context.countWork(grid.count);
  });
  return out;
}

/** @returns whether floats and histograms are close to one step: such steps have no value */
function fillSmoothed(
  series: ColumnSeries,
  samples: SampleColumns,
  times: LookupTimes,
  lookbackDeltaMs: number,
): boolean {
  const { timestamps, values, length, histograms } = samples;
  let isMixed = false;
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
    if (histogramCount > 0) {
      isMixed ||= histogramCount < high - low;
      continue;
    }
    const isBetween = next === high || timestamps[next]! > timeMs;
    if (isBetween && next === low) continue;
    series.present[step] = 1;
    if (!isBetween) series.values[step] = values[next]!;
    else series.values[step] = next < high ? interpolate(samples, next - 1, timeMs) : values[next - 1]!;
  }
  return isMixed;
}
