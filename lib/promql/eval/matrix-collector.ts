import { type ColumnSeries, gridTimes, type StepGrid } from './columns.ts';
import type { QueryContext } from './context.ts';
import { FloatSlabs } from './float-slabs.ts';
import { histogramsBytes, newSeriesBytes, SAMPLE_BYTES } from './memory.ts';
import { extraWeight } from './sample-counts.ts';
import type { MatrixSeries } from './value.ts';

const NO_STEPS = { startMs: 0, stepMs: 1, count: 0 };

/** Makes the answer to a range query: the samples that are there, with their times. */
export class MatrixCollector {
  readonly #context: QueryContext;
  /** All times of the grid: those of most series are a piece of them, and mostly the same as of the series before. */
  readonly #times: Float64Array;
  #piece: Float64Array;
  #slabs = new FloatSlabs();
  #series: MatrixSeries[] = [];

  constructor(grid: StepGrid, context: QueryContext) {
    this.#context = context;
    this.#times = gridTimes(grid);
    this.#piece = this.#times;
  }

  /** Those with samples, in the order they were added. */
  get series(): readonly MatrixSeries[] {
    return this.#series;
  }

  /** @param isKept nobody writes to its columns any more, and they are charged for: else they are copied
   *  @throws PromletError as `QueryContext.takeBytes`, `QueryContext.holdSamples` */
  add(series: ColumnSeries, isKept = false): void {
    const { labels, present } = series;
    const from = present.indexOf(1);
    if (from < 0) return;
    const end = present.lastIndexOf(1) + 1;
    const context = this.#context;
    const histograms = histogramsOf(series, from, end);
    context.takeBytes(newSeriesBytes(NO_STEPS, labels) + SAMPLE_BYTES * (end - from));
    if (histograms !== undefined) context.takeBytes(histogramsBytes(histograms));
    const points = this.#pointsOf(series, from, end, isKept);
    if (!isKept) {
      const weight = histograms === undefined ? 0 : extraWeight(histograms);
      context.holdSamples(context.samples + points.values.length + weight);
    }
    this.#series.push(histograms === undefined ? { labels, ...points } : { labels, ...points, histograms });
  }

  /** Forgets all. */
  clear(): void {
    this.#series = [];
    this.#slabs = new FloatSlabs();
  }

  #pointsOf(
    { values, present }: ColumnSeries,
    from: number,
    end: number,
    isKept: boolean,
  ): Pick<MatrixSeries, 'timestamps' | 'values'> {
    const slabs = this.#slabs;
    if (!present.subarray(from, end).includes(0)) {
      const whole = values.length === end - from ? values : values.subarray(from, end);
      return { timestamps: this.#timesBetween(from, end), values: isKept ? whole : slabs.copyOf(whole) };
    }
    let count = 0;
    for (let i = from; i < end; i++) count += present[i]!;
    const points = { timestamps: slabs.floats(count), values: slabs.floats(count) };
    let at = 0;
    for (let i = from; i < end; i++) {
      if (present[i] === 0) continue;
      points.timestamps[at] = this.#times[i]!;
      points.values[at++] = values[i]!;
    }
    return points;
  }

  #timesBetween(from: number, end: number): Float64Array {
    const { byteOffset, length } = this.#piece;
    if (byteOffset !== from * Float64Array.BYTES_PER_ELEMENT || length !== end - from) {
      this.#piece = this.#times.subarray(from, end);
    }
    return this.#piece;
  }
}

/** Those of the samples that are there, by their index. */
function histogramsOf({ present, histograms }: ColumnSeries, from: number, end: number): MatrixSeries['histograms'] {
  if (histograms === undefined) return undefined;
  const found: NonNullable<ColumnSeries['histograms']> = [];
  let at = 0;
  for (let i = from; i < end; i++) {
    if (present[i] === 0) continue;
    if (histograms[i] !== undefined) found[at] = histograms[i];
    at++;
  }
  return found.length === 0 ? undefined : found;
}
