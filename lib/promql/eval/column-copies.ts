import type { ColumnSeries, StepGrid } from './columns.ts';
import { FloatSlabs } from './float-slabs.ts';

/** Copies of many series over one grid, to be looked at only: series share what they have in common. */
export class ColumnCopies {
  readonly #slabs = new FloatSlabs();
  /** Of the series before: most are at the same steps. */
  #present: Uint8Array;

  constructor(grid: StepGrid) {
    this.#present = new Uint8Array(grid.count).fill(1);
  }

  of({ labels, dropName, values, present, histograms }: ColumnSeries): ColumnSeries {
    if (Buffer.compare(present, this.#present) !== 0) this.#present = present.slice();
    const copy = { labels, dropName, values: this.#slabs.copyOf(values), present: this.#present };
    return histograms === undefined ? copy : { ...copy, histograms };
  }
}
