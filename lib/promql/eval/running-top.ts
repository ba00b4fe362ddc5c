import type { Labels } from '../../model/index.ts';
import { entriesOf, type PartialAggregation, partialBytes, PartialBuilder } from '../parallel/partial.ts';
import type { AggregateExpr } from '../parse/ast.ts';
import { type ColumnSeries, hasHistograms, newSeries, type StepGrid } from './columns.ts';
import type { QueryContext } from './context.ts';
import { ENTRY_BYTES, labelsBytes, newSeriesBytes } from './memory.ts';
import { asksForHistograms, countAt, replaces } from './select-k.ts';
import { SeriesHeap } from './series-heap.ts';

/** More are chosen from all series at once. */
const MAX_COUNT = 100;
/** Of a place in a heap: a value and whose it is. */
const PLACE_BYTES = 12;
const HEAP_BYTES = 3 * ENTRY_BYTES;

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
  /** By step: how many series are kept. */
  readonly #counts: Uint32Array;
  readonly #width: number;
  readonly #heaps: readonly SeriesHeap[];
  /** By step and place; what the heaps hold are places. */
  readonly #values: Float64Array;
  readonly #owners: (Chosen | undefined)[];
  /** By step: what a value must beat; `#isFull` says whether it must. */
  readonly #tops: Float64Array;
  readonly #isFull: Uint8Array;
  #isIgnoring = false;

  /** Whether an aggregation can be computed so. */
  static takes({ op, grouping, without }: AggregateExpr, param: Float64Array): boolean {
    if ((op !== 'topk' && op !== 'bottomk') || without || grouping.length > 0) return false;
    // What is no count at all is an error, but one of the vector comes first.
    return param.every((count) => count <= MAX_COUNT && count > -MAX_COUNT);
  }

  /** @param runnersUp how many more than asked for are kept, where any are */
  constructor(expr: AggregateExpr, param: Float64Array, grid: StepGrid, context: QueryContext, runnersUp = 0) {
    this.#expr = expr;
    this.#param = param;
    this.#grid = grid;
    this.#context = context;
    this.#isTop = expr.op === 'topk';
    this.#counts = Uint32Array.from(param, (asked) => (countAt(asked) === 0 ? 0 : countAt(asked) + runnersUp));
    const width = this.#counts.reduce((most, count) => Math.max(most, count), 0);
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
    this.#tops = new Float64Array(grid.count);
    this.#isFull = Uint8Array.from(this.#counts, (count) => Number(count === 0));
    // What nothing is asked of, nothing beats.
    this.#tops.fill(isTop ? Infinity : -Infinity);
  }

  /** The series' columns may be written over afterwards. */
  add(series: ColumnSeries): void {
    const { values, present, histograms } = series;
    const tops = this.#tops;
    const isFull = this.#isFull;
    const isTop = this.#isTop;
    if (hasHistograms(series) && asksForHistograms(series, this.#param)) this.#isIgnoring = true;
    let chosen: Chosen | undefined;
    for (let step = 0; step < present.length; step++) {
      if (present[step] === 0 || histograms?.[step] !== undefined) continue;
      const value = values[step]!;
      if (isFull[step] === 1 && !replaces(value, tops[step]!, isTop)) continue;
      if (chosen === undefined) {
        chosen = { labels: series.labels, dropName: series.dropName, places: 0 };
        this.#context.takeBytes(labelsBytes(series.labels) + ENTRY_BYTES);
      }
      this.#put(step, value, chosen);
    }
    this.#context.countWork(this.#grid.count);
  }

  /** What was chosen up to now, for `addPartials` of another that keeps no runners-up. */
  partial(): PartialAggregation {
    const chosen = this.finish();
    const builder = new PartialBuilder(chosen.length, this.#grid.count);
    for (const { labels, dropName, values, present } of chosen) builder.add(labels, dropName, [values, present]);
    return builder.finish(this.#isIgnoring);
  }

  readonly takesPartials = true;

  /**
   * Adds what others, each with one runner-up, have chosen from series that come behind those added before.
   * @returns false when equal values make it matter in what order series come: then nothing is added
   */
  addPartials(partials: readonly PartialAggregation[]): boolean {
    const { count } = this.#grid;
    const others: ColumnSeries[] = [];
    for (const partial of partials) {
      this.#context.takeBytes(partialBytes(partial));
      for (const { labels, dropName, columns } of entriesOf(partial, count)) {
        others.push({ labels, dropName, values: columns[0] as Float64Array, present: columns[1] as Uint8Array });
      }
    }
    for (let step = 0; step < count; step++) if (this.#isUndecided(step, others)) return false;
    if (partials.some(({ hasHistograms: has }) => has)) this.#isIgnoring = true;
    for (const series of others) this.add(series);
    return true;
  }

  /** Whether the choice at a step depends on more than values. */
  #isUndecided(step: number, others: readonly ColumnSeries[]): boolean {
    const candidates: number[] = [];
    let isChanged = false;
    for (const { values, present } of others) {
      if (present[step] === 0) continue;
      const value = values[step]!;
      candidates.push(value);
      if (this.#isFull[step] === 0 || replaces(value, this.#tops[step]!, this.#isTop)) isChanged = true;
    }
    if (!isChanged) return false;
    for (const place of this.#heaps[step]!.indices) candidates.push(this.#values[place]!);
    const best = Float64Array.from(candidates).sort();
    if (this.#isTop) best.reverse();
    const count = this.#counts[step]!;
    // Of the answer to an instant query the order is seen, too.
    const from = this.#grid.count === 1 ? 0 : count - 1;
    for (let i = from; i < Math.min(count, best.length - 1); i++) if (best[i] === best[i + 1]) return true;
    return candidates.some((value) => value !== value);
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
    const count = this.#counts[step]!;
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
