import { type FloatHistogram, type Labels, METRIC_NAME } from '../../model/index.ts';
import type { ColumnMemory } from './column-memory.ts';
import type { QueryContext } from './context.ts';
import { extraWeight } from './sample-counts.ts';

/** The times an expression is evaluated at: `startMs + i × stepMs`, 0 ≤ i < count. */
export interface StepGrid {
  readonly startMs: number;
  /** Above 0, also when there is one step only. */
  readonly stepMs: number;
  readonly count: number;
  /** There is but one step, and yet what was asked for is a range: it ends before the next step. */
  readonly isRange?: boolean;
}

export function gridTimes({ startMs, stepMs, count }: StepGrid): Float64Array {
  const times = new Float64Array(count);
  for (let i = 0; i < count; i++) times[i] = startMs + i * stepMs;
  return times;
}

/** One series over a grid. All arrays are as long as the grid. */
export interface ColumnSeries {
  readonly labels: Labels;
  /** The metric name goes when the result is complete (Prometheus's delayed name removal). */
  readonly dropName: boolean;
  readonly values: Float64Array;
  /** 1 where there is a sample; `values` is undefined elsewhere. */
  readonly present: Uint8Array;
  /** Sparse: native histograms by step, their `values` are NaN. Absent when the series has none. */
  readonly histograms?: (FloatHistogram | undefined)[];
  /** Where the columns lie, when kernels reach them. */
  readonly memory?: ColumnMemory;
}

export type Columns =
  | { readonly type: 'scalar'; readonly values: Float64Array }
  | { readonly type: 'vector'; readonly series: readonly ColumnSeries[] };

export function newSeries(grid: StepGrid, labels: Labels, dropName = false): ColumnSeries {
  return { labels, dropName, values: new Float64Array(grid.count), present: new Uint8Array(grid.count) };
}

/**
 * Takes the series of a vector one by one. Its columns are the visitor's until it returns and are then written over; a
 * returned promise is awaited.
 */
export type ColumnVisitor = (series: ColumnSeries) => void | Promise<void>;

/** One that keeps its columns. */
export function copyOf({ labels, dropName, values, present, histograms }: ColumnSeries): ColumnSeries {
  const copy = { labels, dropName, values: values.slice(), present: present.slice() };
  return histograms === undefined ? copy : { ...copy, histograms };
}

/** Columns that are filled for one series after the other. */
export type ScratchColumns = Pick<ColumnSeries, 'values' | 'present' | 'memory'>;

/** Zeros. */
export function scratchColumns(grid: StepGrid, memory: ColumnMemory): ScratchColumns {
  const values = memory.floats(grid.count);
  const present = memory.flags(grid.count);
  if (values !== undefined && present !== undefined) return { values, present, memory };
  return { values: new Float64Array(grid.count), present: new Uint8Array(grid.count) };
}

/** Takes all samples out. */
export function clearSamples({ present, memory }: ScratchColumns): void {
  if (memory === undefined) present.fill(0);
  else memory.clear(present);
}

export function hasSamples(series: ColumnSeries): boolean {
  return series.present.includes(1);
}

/** The step holds a float, not a histogram. */
export function isFloat(series: ColumnSeries, step: number): boolean {
  return series.present[step] === 1 && series.histograms?.[step] === undefined;
}

/** The series has a histogram at some step. */
export function hasHistograms({ histograms, present }: ColumnSeries): boolean {
  // Histograms may be left over at steps whose samples are gone. (`some` skips the holes of a sparse list.)
  return (
    histograms !== undefined && histograms.some((histogram, step) => histogram !== undefined && present[step] === 1)
  );
}

/** What a value costs of the sample budget: columns are dense, so an absent sample takes as much memory as any. */
export function countSamples(columns: Columns): number {
  if (columns.type === 'scalar') return columns.values.length;
  let count = columns.series.length * (columns.series[0]?.values.length ?? 0);
  for (const { histograms } of columns.series) if (histograms !== undefined) count += extraWeight(histograms);
  return count;
}

/** Labels that describe the metric rather than the series; they go with the name. */
export const METADATA_LABELS: ReadonlySet<string> = new Set([METRIC_NAME, '__type__', '__unit__']);

/** Labels that go with the name, beside the name. */
export function hasOtherMetadata({ pairs }: Labels): boolean {
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i] !== METRIC_NAME && METADATA_LABELS.has(pairs[i]!)) return true;
  return false;
}

export function withoutMetadata(labels: Labels): Labels {
  return labels.without(METADATA_LABELS);
}

/** Any non-empty UTF-8 text; bytes of a string literal that are not UTF-8 are lone surrogates. */
export function isLabelName(name: string): boolean {
  return name !== '' && name.isWellFormed();
}

/** A series whose value is no longer that of the metric: its name goes, now or at the end. */
export function renamed(context: QueryContext, labels: Labels): { labels: Labels; dropName: boolean } {
  return { labels: context.delayedNameRemoval ? labels : withoutMetadata(labels), dropName: true };
}
