import type { Labels } from '../../model/index.ts';
import { entriesOf, type PartialAggregation, partialBytes, PartialBuilder } from '../parallel/partial.ts';
import type { AggregateExpr } from '../parse/ast.ts';
import type { ColumnMemory } from './column-memory.ts';
import { type ColumnSeries, copyOf, hasHistograms, newSeries, type StepGrid } from './columns.ts';
import type { QueryContext } from './context.ts';
import { ENTRY_BYTES, labelsBytes, newSeriesBytes, stepsBytes } from './memory.ts';
import { asksForHistograms, countAt, replaces } from './select-k.ts';
import { SeriesHeap } from './series-heap.ts';

/** More are chosen from all series at once. */
const MAX_COUNT = 100;
/** Of a place in a heap: a value and whose it is. */
const PLACE_BYTES = 12;
const HEAP_BYTES = 3 * ENTRY_BYTES;
/** Of columns that are told to another. */
const MAX_PARTIAL_BYTES = 16 << 20;

/** A series that is chosen at some steps. */
interface Chosen {
  readonly labels: Labels;
  readonly dropName: boolean;
  /** Places that it has. */
  places: number;
}

/**
 * `topk` and `bottomk` of one group that take series as they come: per step a heap of the best so far, and of a series no
 * more than its labels, as long as it is in one. The result is that of `selectK`.
 */
export class RunningTop {
  readonly #expr: AggregateExpr;
  readonly #param: Float64Array;
  readonly #grid: StepGrid;
  readonly #context: QueryContext;
  readonly #isTop: boolean;
  /** The most that is asked for at a step. */
  readonly #width: number;
  readonly #heaps: readonly SeriesHeap[];
  /** By step and place; what the heaps hold are places. */
  readonly #values: Float64Array;
  readonly #owners: (Chosen | undefined)[];
  /** By step: what a value must beat; `#isFull` says whether it must. */
  readonly #tops: Float64Array;
  /** Where the tops lie, when kernels reach them. */
  readonly #memory: ColumnMemory | undefined;
  readonly #isFull: Uint8Array;
  #isIgnoring = false;
  /** What came into a heap, when that is to be told: series with their samples at the steps where they did. */
  readonly #entered: ColumnSeries[] | undefined;

  /** Whether an aggregation can be computed so. */
  static takes({ op, grouping, without }: AggregateExpr, param: Float64Array): boolean {
    if ((op !== 'topk' && op !== 'bottomk') || without || grouping.length > 0) return false;
    // What is no count at all is an error, but one of the vector comes first.
    return param.every((count) => count <= MAX_COUNT && count > -MAX_COUNT);
  }

  /** @param isPart whether `partial` will be asked for */
  constructor(expr: AggregateExpr, param: Float64Array, grid: StepGrid, context: QueryContext, isPart = false) {
    this.#expr = expr;
    this.#param = param;
    this.#grid = grid;
    this.#context = context;
    this.#isTop = expr.op === 'topk';
    this.#entered = isPart ? [] : undefined;
    const width = param.reduce((most, count) => Math.max(most, countAt(count)), 0);
    this.#width = width;
    context.takeBytes(grid.count * (HEAP_BYTES + width * PLACE_BYTES));
    const values = new Float64Array(grid.count * width);
    this.#values = values;
    this.#owners = Array.from({ length: grid.count * width });
    const isTop = this.#isTop;
    // Whatever is to be dropped first stands on top: NaN, then the least of the largest or the largest of the least.
    const isAbove = (a: number, b: number): boolean => {
      const value = values[a]!;
      return value !== value || (isTop ? value < values[b]! : value > values[b]!);
    };
    this.#heaps = Array.from({ length: grid.count }, () => new SeriesHeap(isAbove));
    const tops = context.memory.floats(grid.count);
    this.#memory = tops && context.memory;
    this.#tops = tops ?? new Float64Array(grid.count);
    this.#isFull = Uint8Array.from(param, (count) => Number(countAt(count) === 0));
    // What nothing is asked of, nothing beats; what is not full anything does.
    for (const [step, isFull] of this.#isFull.entries())
      this.#tops[step] = isFull === 0 ? NaN : isTop ? Infinity : -Infinity;
  }

  /** The series' columns may be written over afterwards. */
  add(series: ColumnSeries): void {
    const { values, present, histograms } = series;
    const tops = this.#tops;
    const isFull = this.#isFull;
    const isTop = this.#isTop;
    if (hasHistograms(series) && asksForHistograms(series, this.#param)) this.#isIgnoring = true;
    let chosen: Chosen | undefined;
    let entered: Uint8Array | undefined;
    for (let step = this.#nextBeyond(series, 0); step < present.length; step = this.#nextBeyond(series, step + 1)) {
      if (present[step] === 0 || histograms?.[step] !== undefined) continue;
      const value = values[step]!;
      if (isFull[step] === 1 && !replaces(value, tops[step]!, isTop)) continue;
      if (chosen === undefined) {
        chosen = { labels: series.labels, dropName: series.dropName, places: 0 };
        this.#context.takeBytes(labelsBytes(series.labels) + ENTRY_BYTES);
        entered = this.#entered && new Uint8Array(present.length);
      }
      this.#put(step, value, chosen);
      if (entered !== undefined) entered[step] = 1;
    }
    if (entered !== undefined) {
      this.#context.takeBytes(newSeriesBytes(this.#grid, series.labels));
      this.#entered!.push({ ...copyOf(series), present: entered });
    }
    this.#context.countWork(this.#grid.count);
  }

  /**
   * What came into the heaps. A heap that holds series from before, too, asks for more: what did not come into these does not
   * come into it, so that another that is given only this, by `addPartials`, goes the same way as if it were given all.
   */
  partial(): PartialAggregation | undefined {
    if (!this.takesPartials) return undefined;
    const entered = this.#entered!;
    const builder = new PartialBuilder(entered.length, this.#grid.count);
    for (const { labels, dropName, values, present } of entered) builder.add(labels, dropName, [values, present]);
    return builder.finish(this.#isIgnoring);
  }

  /** Not when most series are larger than those before them: then little would be left out. */
  get takesPartials(): boolean {
    return this.#entered === undefined || this.#entered.length * stepsBytes(this.#grid.count) <= MAX_PARTIAL_BYTES;
  }

  /** Adds what others tell of series that come behind those added before. */
  addPartials(partials: readonly PartialAggregation[]): boolean {
    for (const partial of partials) {
      this.#context.takeBytes(partialBytes(partial));
      if (partial.hasHistograms) this.#isIgnoring = true;
      for (const { labels, dropName, columns } of entriesOf(partial, this.#grid.count)) {
        this.add({ labels, dropName, values: columns[0] as Float64Array, present: columns[1] as Uint8Array });
      }
    }
    return true;
  }

  /** A step from `from` on, before which nothing is to be put; most series have none. */
  #nextBeyond({ values, present, memory }: ColumnSeries, from: number): number {
    if (memory === undefined || memory !== this.#memory) return from;
    const sign = this.#isTop ? 1 : -1;
    const { byteOffset } = this.#tops;
    return memory.wasm.firstBeyond(values.byteOffset, present.byteOffset, byteOffset, sign, from, values.length);
  }

  /** With a single step in the order of the choice. */
  finish(): ColumnSeries[] {
    if (this.#isIgnoring) this.#context.info(`ignored histogram in ${this.#expr.op} aggregation`, this.#expr);
    const outputs = new Map<Chosen, ColumnSeries>();
    for (let step = 0; step < this.#grid.count; step++) {
      for (const place of this.#heaps[step]!.sorted()) {
        const chosen = this.#owners[place]!;
        let output = outputs.get(chosen);
        if (output === undefined) {
          this.#context.takeBytes(ENTRY_BYTES + newSeriesBytes(this.#grid, chosen.labels));
          output = newSeries(this.#grid, chosen.labels, chosen.dropName);
          outputs.set(chosen, output);
        }
        output.present[step] = 1;
        output.values[step] = this.#values[place]!;
      }
    }
    return [...outputs.values()];
  }

  #put(step: number, value: number, chosen: Chosen): void {
    const heap = this.#heaps[step]!;
    const { indices } = heap;
    const count = countAt(this.#param[step]!);
    const isPushed = indices.length < count;
    const place = isPushed ? step * this.#width + indices.length : indices[0]!;
    this.#leave(this.#owners[place]);
    this.#owners[place] = chosen;
    chosen.places++;
    this.#values[place] = value;
    if (isPushed) heap.push(place);
    else heap.replaceTop(place);
    if (indices.length < count) return;
    this.#isFull[step] = 1;
    this.#tops[step] = this.#values[indices[0]!]!;
  }

  #leave(chosen: Chosen | undefined): void {
    if (chosen === undefined || --chosen.places > 0) return;
    this.#context.takeBytes(-labelsBytes(chosen.labels) - ENTRY_BYTES);
  }
}
