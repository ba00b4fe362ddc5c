import type { ColumnSeries, StepGrid } from './columns.ts';
import type { QueryContext } from './context.ts';
import { FloatSlabs } from './float-slabs.ts';
import { seriesBytes } from './memory.ts';
import { extraWeight } from './sample-counts.ts';

/** Keeps many series over one grid whose columns are written over: copies, to be looked at only. */
export class ColumnCollector {
  readonly series: ColumnSeries[] = [];
  readonly #context: QueryContext;
  readonly #slabs = new FloatSlabs();
  /** Of the series before: most are at the same steps, and share it. */
  #present: Uint8Array;

  constructor(grid: StepGrid, context: QueryContext) {
    this.#context = context;
    this.#present = new Uint8Array(grid.count).fill(1);
  }

  /** @throws PromletError as `QueryContext.takeBytes`, `QueryContext.holdSamples` */
  readonly add = (series: ColumnSeries): void => {
    const { labels, dropName, values, present, histograms } = series;
    const context = this.#context;
    context.takeBytes(seriesBytes(series));
    if (Buffer.compare(present, this.#present) !== 0) this.#present = present.slice();
    const copy = { labels, dropName, values: this.#slabs.copyOf(values), present: this.#present };
    this.series.push(histograms === undefined ? copy : { ...copy, histograms });
    const weight = histograms === undefined ? 0 : extraWeight(histograms);
    context.holdSamples(context.samples + values.length + weight);
  };
}
