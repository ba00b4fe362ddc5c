/**
 * What values take of a query's byte budget: estimates for V8 on 64 bits, on the high side for small objects. Strings
 * that storage shares between series count in each of them.
 */
import type { FloatHistogram, Labels } from '../../model/index.ts';
import type { ColumnSeries, Columns, StepGrid } from './columns.ts';

/** One step of a column: the value and its presence. */
const STEP_BYTES = 9;
/** A series without its steps: the object, two typed arrays with their buffers, its place in a list or map. */
const SERIES_BYTES = 400;
const LABELS_BYTES = 96;
/** A string of a label set without its characters. */
const TEXT_BYTES = 24;
const HISTOGRAM_BYTES = 256;
/** A timestamp and a value. */
export const SAMPLE_BYTES = 16;
/** The most that a window function keeps for each sample of a series. */
export const KERNEL_SAMPLE_BYTES = 16;
/** What the largest accumulator takes per step. */
export const ACCUMULATOR_STEP_BYTES = 48;
/** An entry of a `Map`, or a small object in a list. */
export const ENTRY_BYTES = 64;

/** A label set with its key; one byte a character. */
export function labelsBytes(labels: Labels): number {
  return LABELS_BYTES + textsBytes(labels.pairs);
}

/** Strings in a list; two bytes a character, for those who copy them. */
export function textsBytes(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += TEXT_BYTES + 2 * text.length;
  return bytes;
}

/** Columns alone, for `count` steps. */
export function stepsBytes(count: number): number {
  return count * STEP_BYTES;
}

/** A series over `grid` without histograms. */
export function newSeriesBytes(grid: StepGrid, labels: Labels): number {
  return SERIES_BYTES + labelsBytes(labels) + stepsBytes(grid.count);
}

export function seriesBytes(series: ColumnSeries): number {
  return (
    SERIES_BYTES +
    labelsBytes(series.labels) +
    stepsBytes(series.values.length) +
    (series.histograms === undefined ? 0 : histogramsBytes(series.histograms))
  );
}

/** A sparse list of histograms. */
export function histogramsBytes(histograms: readonly (FloatHistogram | undefined)[]): number {
  let bytes = 8 * histograms.length;
  for (const histogram of histograms) {
    if (histogram !== undefined) bytes += histogramBytes(histogram);
  }
  return bytes;
}

export function histogramBytes({ positiveBuckets, negativeBuckets, customValues }: FloatHistogram): number {
  return HISTOGRAM_BYTES + 8 * (positiveBuckets.length + negativeBuckets.length + customValues.length);
}

export function columnsBytes(columns: Columns): number {
  if (columns.type === 'scalar') return 8 * columns.values.length;
  return listBytes(columns.series);
}

export function listBytes(list: readonly ColumnSeries[]): number {
  let bytes = 0;
  for (const series of list) bytes += seriesBytes(series);
  return bytes;
}
