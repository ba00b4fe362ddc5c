import { type FloatHistogram, isStaleNaN, type Labels, type SampleColumns } from '../../model/index.ts';
import type { VectorSelector } from '../parse/ast.ts';
import { ColumnCollector } from './column-collector.ts';
import { type ColumnMemory, ReachableSamples } from './column-memory.ts';
import {
  clearSamples,
  type ColumnSeries,
  type ColumnVisitor,
  hasSamples,
  type ScratchColumns,
  scratchColumns,
  type StepGrid,
} from './columns.ts';
import { executionError, type QueryContext } from './context.ts';
import { type LookupTimes, lookupTimes, stepsUntil } from './lookup-times.ts';
import { stepsBytes } from './memory.ts';
import type { Labelled, SelectorHints, SelectorReader } from './select.ts';
import { WindowSweeper } from './window-sweeper.ts';

type InstantValue = 'value' | 'timestamp' | 'float timestamp' | 'start';

/**
 * The newest sample at or before each step, unless it is stale or as old as the lookback delta (left-open).
 * @param what the samples' values, or their timestamps in seconds (for `timestamp`, and of floats for `info`), or the start
 *   times of their counters in seconds, 0 where unknown
 * @throws PromletError `promql/execution` for a histogram where a float has to be
 */
export async function selectInstant(
  selector: VectorSelector,
  grid: StepGrid,
  context: QueryContext,
  reader: SelectorReader,
  hints: SelectorHints,
  what: InstantValue = 'value',
): Promise<ColumnSeries[]> {
  const collector = new ColumnCollector(grid, context);
  await visitInstant(selector, grid, context, reader, hints, collector.add, what);
  return collector.series;
}

/** The same, series by series. */
export async function visitInstant(
  selector: VectorSelector,
  grid: StepGrid,
  context: QueryContext,
  reader: SelectorReader,
  hints: SelectorHints,
  visitor: ColumnVisitor,
  what: InstantValue = 'value',
): Promise<void> {
  const at = selector.at as number | undefined;
  const { lookbackDeltaMs } = context;
  const read = lookupTimes(grid, at, selector.offset as number);
  // Beside `@`, Prometheus's `timestamp` looks up without the offset what it has read with it.
  const isTimestamp = what === 'timestamp' || what === 'start';
  const times = isTimestamp && at !== undefined ? lookupTimes(grid, at, 0) : read;
  const maxMs = read.lastMs + (selector.extension === 'smoothed' ? lookbackDeltaMs : 0);
  const minMs = read.firstMs - lookbackDeltaMs + 1;
  const selectHints = { ...hints, stepMs: grid.stepMs };
  context.requireBytes(stepsBytes(grid.count));
  const columns = scratchColumns(grid, context.memory);
  const { values, present, memory } = columns;
  const sweeper = memory && what === 'value' ? new WindowSweeper(times, values, present, memory) : undefined;
  await reader.read(selector, minMs, maxMs, selectHints, (found, samples) => {
    clearSamples(columns);
    // The reader adds the samples read and yields; the steps filled are work too.
    context.countWork(grid.count);
    const series = new FoundSeries(found, columns);
    if (sweeper !== undefined && arePlain(samples)) {
      if (samples.length === 0) return undefined;
      const { timestamps, values: sampleValues, length } = samples;
      const swept = { timestamps, values: sampleValues, length, rangeMs: lookbackDeltaMs };
      if (sweeper.run('lookUp', swept) === 0) return undefined;
      context.counts?.addPresent(present);
      return visitor(series);
    }
    const histograms = fillInstant(series, samples, times, lookbackDeltaMs, what);
    if (!hasSamples(series)) return undefined;
    context.counts?.addPresent(present, histograms);
    if (histograms !== undefined) series.histograms = histograms;
    return visitor(series);
  });
}

/** Its labels are put together when they are looked at: `topk` does not look at those of most series. */
class FoundSeries implements ColumnSeries {
  readonly dropName = false;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly memory?: ColumnMemory;
  histograms?: (FloatHistogram | undefined)[];
  readonly #source: Labelled;

  constructor(source: Labelled, { values, present, memory }: ScratchColumns) {
    this.#source = source;
    this.values = values;
    this.present = present;
    if (memory !== undefined) this.memory = memory;
  }

  get labels(): Labels {
    return this.#source.labels;
  }
}

/** Kernels reach them. */
function arePlain(samples: SampleColumns): boolean {
  return samples instanceof ReachableSamples && samples.memory !== undefined && samples.histograms === undefined;
}

function fillInstant(
  series: ColumnSeries,
  samples: SampleColumns,
  times: LookupTimes,
  lookbackDeltaMs: number,
  what: InstantValue,
): (FloatHistogram | undefined)[] | undefined {
  const { values, present } = series;
  const { timestamps, values: sampleValues, length, histograms } = samples;
  const { firstMs, stepMs } = times;
  let found: (FloatHistogram | undefined)[] | undefined;
  /** Index behind the newest sample that is not after the step. */
  let next = 0;
  if (length === 0) return undefined;
  const end = stepsUntil({ firstMs, stepMs }, timestamps[length - 1]! + lookbackDeltaMs, values.length);
  for (let step = stepsUntil({ firstMs, stepMs }, timestamps[0]!, values.length); step < end; step++) {
    const lookupMs = firstMs + step * stepMs;
    while (next < length && timestamps[next]! <= lookupMs) next++;
    if (next === 0) continue;
    const timestampMs = timestamps[next - 1]!;
    if (timestampMs <= lookupMs - lookbackDeltaMs) continue;
    const value = sampleValues[next - 1]!;
    const histogram = histograms?.[next - 1];
    if (isStaleNaN(histogram === undefined ? value : histogram.sum)) continue;
    if (what === 'float timestamp' && histogram !== undefined) {
      throw executionError(`this should be an info metric, with float samples: ${series.labels.toString()}`);
    }
    present[step] = 1;
    if (what === 'start') values[step] = (samples.starts?.[next - 1] ?? 0) / 1000;
    else if (what !== 'value') values[step] = timestampMs / 1000;
    else {
      values[step] = value;
      if (histogram !== undefined) (found ??= [])[step] = histogram;
    }
  }
  return found;
}
