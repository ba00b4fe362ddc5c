import { type FloatHistogram, type Labels, METRIC_NAME, quote, type SampleColumns } from '../../model/index.ts';
import { ColumnCollector } from '../eval/column-collector.ts';
import { type ColumnMemory, ReachableSamples } from '../eval/column-memory.ts';
import {
  clearSamples,
  type ColumnSeries,
  type ColumnVisitor,
  renamed,
  scratchColumns,
  type StepGrid,
} from '../eval/columns.ts';
import type { QueryContext } from '../eval/context.ts';
import { LabelsMemo } from '../eval/labels-memo.ts';
import { KERNEL_SAMPLE_BYTES, stepsBytes } from '../eval/memory.ts';
import { floatsOnly, type RangeExtensionKind, type RangeVector } from '../eval/range-selector.ts';
import { WORK_PER_HISTOGRAM } from '../limits.ts';
import type { CallExpr, Expr, SourceRange } from '../parse/ast.ts';
import { StartOverlaps } from './start-times.ts';
import { WindowSweeper } from '../eval/window-sweeper.ts';
import { HistogramNotes } from '../histogram/notes.ts';

/** A call of a window function, arguments evaluated. */
export interface WindowCall {
  readonly expr: CallExpr;
  readonly matrixArg: Expr;
  /** The scalar arguments, in order, a value per step. */
  readonly params: readonly Float64Array[];
  readonly range: RangeVector;
  readonly grid: StepGrid;
}

/** Where notes about the series say they are: at the first argument, but of a subquery's Prometheus does not know where. */
export function notePosition({ expr }: WindowCall): SourceRange {
  const first = expr.args[0]!;
  return first.kind === 'subquery' ? { start: 0, end: 0 } : first;
}

/** The window over one series at one step, passed to kernels; one object is reused for all. */
export class Window {
  timestamps: Float64Array = new Float64Array(0);
  values: Float64Array = new Float64Array(0);
  /** By sample, sparse; undefined when the series has none, or when the function does not look at them. */
  histograms: (FloatHistogram | undefined)[] | undefined;
  /** By sample, ms, 0 where unknown; undefined when there are none, or when the function does not look at them. */
  starts: Float64Array | undefined;
  /** Where timestamps and values lie, when kernels of lib/kernels reach them. */
  memory: ColumnMemory | undefined;
  /** Name of the metric, '' when it has none. */
  metric = '';
  /** Samples of the series. */
  length = 0;
  /**
   * Samples [low, high) are in the window (startMs, endMs], or in what an extended selector adds to it. Both only grow from
   * step to step.
   */
  low = 0;
  high = 0;
  startMs = 0;
  endMs = 0;
  rangeMs = 0;
  /** Distance between the ends of two windows; 0 when all windows are the same. */
  slideMs = 0;
  /** Time and index of the step; differs from `endMs` by `offset` and `@`. */
  stepMs = 0;
  step = 0;
  params: readonly Float64Array[] = [];
  readonly overlaps = new StartOverlaps();
}

/** Computes one function over the windows of one series after the other. It may keep state between steps. */
export interface WindowKernel {
  /** A new series begins; its samples are in the window object, no step is set yet. */
  begin?(window: Window): void;
  /** The value of a window with at least one sample; false when it has none. Sets `result` (and `histogram`). */
  evaluate(window: Window): boolean;
  /**
   * Computes all windows of a series of plain floats in one call, without `begin`: what `evaluate` would say of each. The
   * samples lie in memory. @returns how many windows have a value; −1 when they are better computed one by one, with pauses
   */
  sweep?(window: Window, sweeper: WindowSweeper): number;
  result: number;
  histogram?: FloatHistogram | undefined;
}

export interface WindowFunction {
  /** A kernel for plain windows, or for those of an `anchored` or `smoothed` selector. */
  readonly create: (extension?: RangeExtensionKind) => WindowKernel;
  /** `last_over_time` and `first_over_time` yield samples of the metric itself. */
  readonly keepsName?: boolean;
  /** Histogram samples count as samples, instead of being left out. */
  readonly takesHistograms?: boolean;
  /** A kernel for series that hold histograms, beside floats perhaps, which are the business of `floats`. */
  readonly mixed?: (floats: WindowKernel, notes: HistogramNotes, extension?: RangeExtensionKind) => WindowKernel;
  /** Looks at the start times of samples, when the query does. */
  readonly usesStarts?: boolean;
  /** Work per step grows with the samples in the window. */
  readonly rescans?: boolean;
  /** Warns of a bad argument, once. @throws PromletError `promql/execution` */
  readonly check?: (call: WindowCall, context: QueryContext) => void;
  /** What `check` looks at matters also where there are only histograms. */
  readonly checksAll?: boolean;
  /** Says so when the metric does not look like a counter. */
  readonly expectsCounter?: boolean;
}

/** Slides the window of the function over all series of the range vector. */
export async function evaluateWindows(
  windowFunction: WindowFunction,
  call: WindowCall,
  context: QueryContext,
): Promise<ColumnSeries[]> {
  const collector = new ColumnCollector(call.grid, context);
  await visitWindows(windowFunction, call, context, collector.add);
  return collector.series;
}

/** The same, series by series. */
export async function visitWindows(
  windowFunction: WindowFunction,
  call: WindowCall,
  context: QueryContext,
  visitor: ColumnVisitor,
): Promise<void> {
  const { grid, range } = call;
  const floats = windowFunction.create(range.extension?.kind);
  const notes = new HistogramNotes(context, notePosition(call));
  const mixed = windowFunction.mixed?.(floats, notes, range.extension?.kind);
  const window = new Window();
  window.rangeMs = range.rangeMs;
  window.slideMs = grid.count === 1 ? 0 : range.times.stepMs;
  window.params = call.params;
  const scratch = new ReachableSamples(context.memory);
  const names = new LabelsMemo((labels) => renamed(context, labels));
  context.requireBytes(stepsBytes(grid.count));
  const columns = scratchColumns(grid, context.memory);
  const { values, present } = columns;
  const maySweep = range.extension === undefined && windowFunction.check === undefined;
  const sweeper =
    maySweep && columns.memory !== undefined
      ? new WindowSweeper(range.times, values, present, columns.memory)
      : undefined;
  let isChecked = false;
  let noted = '';
  await range.visit((labels, read, dropName) => {
    const kernel = read.histograms === undefined || mixed === undefined ? floats : mixed;
    const takesAll = windowFunction.takesHistograms === true || kernel === mixed;
    const samples = takesAll ? read : floatsOnly(read, scratch);
    if (samples.length === 0) {
      if (windowFunction.checksAll === true && !isChecked) checkAll(read, labels);
      return;
    }
    load(window, samples, labels);
    window.starts = windowFunction.usesStarts === true && context.usesStartTimes ? samples.starts : undefined;
    const ignored = takesAll || read.histograms === undefined ? undefined : new IgnoredHistograms(read, window, notes);
    const name = windowFunction.keepsName === true ? { labels, dropName } : names.get(labels);
    // What the kernel keeps, the columns here, and the copy of them that a caller may make.
    context.requireBytes(KERNEL_SAMPLE_BYTES * samples.length + 2 * stepsBytes(grid.count));
    clearSamples(columns);
    const isPlain = read.histograms === undefined && window.starts === undefined;
    if (sweeper !== undefined && isPlain && kernel.sweep !== undefined && window.memory !== undefined) {
      context.countWork(grid.count);
      const found = kernel.sweep(window, sweeper);
      if (found === 0) return;
      if (found > 0) {
        if (windowFunction.expectsCounter === true) note();
        return visitor({ ...name, ...columns });
      }
    }
    kernel.begin?.(window);
    return stepByStep(kernel, name, ignored);
  });
  window.overlaps.report(context, notePosition(call));

  /** Once for series of one metric that follow one another: of many the words take time. */
  function note(): void {
    if (window.metric === noted) return;
    noted = window.metric;
    noteNonCounter(noted, call, context);
  }

  /** When there is any window with samples, whatever they are. */
  function checkAll(samples: SampleColumns, labels: Labels): void {
    load(window, samples, labels);
    for (let step = 0; step < grid.count && !isChecked; step++) {
      slide(window, step, call);
      if (window.low === window.high) continue;
      windowFunction.check!(call, context);
      isChecked = true;
    }
  }

  /** Over the series that is loaded. */
  async function stepByStep(
    kernel: WindowKernel,
    name: Pick<ColumnSeries, 'labels' | 'dropName'>,
    ignored: IgnoredHistograms | undefined,
  ): Promise<void> {
    const histograms: (FloatHistogram | undefined)[] = [];
    let hasAny = false;
    let hasFloats = false;
    for (let step = 0; step < grid.count;) {
      step = stepOn(step);
      if (step < grid.count) await context.pause();
    }
    if (!hasAny) return;
    if (windowFunction.expectsCounter === true && hasFloats) note();
    const result = histograms.length === 0 ? { ...name, ...columns } : { ...name, ...columns, histograms };
    const pending = visitor(result);
    if (pending !== undefined) await pending;

    /** @returns the step before which a pause is due, or the number of steps */
    function stepOn(from: number): number {
      const rescans = windowFunction.rescans === true || kernel === mixed || window.starts !== undefined;
      const workPerSample = kernel === mixed ? WORK_PER_HISTOGRAM : 1;
      for (let step = from; step < grid.count; step++) {
        slide(window, step, call);
        if (window.low === window.high) continue;
        if (!isChecked) {
          windowFunction.check?.(call, context);
          isChecked = true;
        }
        if (context.spend((rescans ? window.high - window.low : 1) * workPerSample)) return step;
        ignored?.noteWithin(window);
        if (!kernel.evaluate(window)) continue;
        hasAny = true;
        present[step] = 1;
        values[step] = kernel.result;
        if (kernel.histogram === undefined) hasFloats = true;
        else histograms[step] = kernel.histogram;
      }
      return grid.count;
    }
  }
}

/** Histograms that a function of floats leaves out, where there are floats in the window too. */
class IgnoredHistograms {
  readonly #samples: SampleColumns;
  readonly #notes: HistogramNotes;
  /** First sample behind the start of the window that is a histogram. */
  #next = 0;

  constructor(samples: SampleColumns, window: Window, notes: HistogramNotes) {
    this.#samples = samples;
    this.#notes = notes;
    notes.begin(window.metric);
  }

  noteWithin({ startMs, endMs }: Window): void {
    const { timestamps, histograms, length } = this.#samples;
    const isBefore = (i: number): boolean => timestamps[i]! <= startMs || histograms![i] === undefined;
    while (this.#next < length && isBefore(this.#next)) this.#next++;
    if (this.#next < length && timestamps[this.#next]! <= endMs) this.#notes.say('ignored');
  }
}

function load(window: Window, samples: SampleColumns, labels: Labels): void {
  window.metric = labels.get(METRIC_NAME);
  window.timestamps = samples.timestamps;
  window.values = samples.values;
  window.histograms = samples.histograms;
  window.memory = samples instanceof ReachableSamples ? samples.memory : undefined;
  window.length = samples.length;
  window.low = 0;
  window.high = 0;
}

function slide(window: Window, step: number, call: WindowCall): void {
  const { times, extension } = call.range;
  const beforeMs = extension?.beforeMs ?? 0;
  const afterMs = extension?.afterMs ?? 0;
  const { timestamps, length } = window;
  const endMs = times.firstMs + step * times.stepMs;
  const startMs = endMs - window.rangeMs;
  let { low, high } = window;
  while (high < length && timestamps[high]! <= endMs + afterMs) high++;
  while (low < high && timestamps[low]! <= startMs - beforeMs) low++;
  window.low = low;
  window.high = high;
  window.startMs = startMs;
  window.endMs = endMs;
  window.step = step;
  window.stepMs = call.grid.startMs + step * call.grid.stepMs;
}

const COUNTER_SUFFIX = /_(?:total|sum|count|bucket)$/;

function noteNonCounter(name: string, call: WindowCall, context: QueryContext): void {
  if (name === '' || COUNTER_SUFFIX.test(name)) return;
  const problem = 'metric might not be a counter, name does not end in _total/_sum/_count/_bucket';
  context.info(`${problem}: ${quote(name)}`, notePosition(call));
}
