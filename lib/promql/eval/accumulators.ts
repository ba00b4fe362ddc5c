import type { FloatHistogram } from '../../model/index.ts';
import type { AggregateOperator } from '../parse/ast.ts';
import type { ColumnMemory } from './column-memory.ts';
import { type ColumnSeries, isFloat, type StepGrid } from './columns.ts';
import { compensationOf } from './kahan.ts';
import { quantile } from './quantile.ts';

export interface AggregatedColumn {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms?: (FloatHistogram | undefined)[];
}

/** What an accumulator works on, each as long as the grid: another goes on from it. */
export type AccumulatorState = readonly (Float64Array | Uint8Array)[];

/** Reduces the series of a group, one after the other, step by step. Those here leave histograms out. */
export interface Accumulator {
  /** The columns may be written over afterwards, but for `quantile`. */
  add(series: ColumnSeries): void;
  /** What was added up to now; more may follow as long as nothing is written to it. */
  finish(): AggregatedColumn;
  /** Its own columns; undefined where the series themselves are needed. */
  readonly state?: AccumulatorState;
  /** Adds the series of another of its kind, behind its own. @param state of the other */
  merge?(state: AccumulatorState): void;
}

export type ReducingOperator = Exclude<
  AggregateOperator,
  'topk' | 'bottomk' | 'limitk' | 'limit_ratio' | 'count_values'
>;

export const ACCUMULATORS: Readonly<
  Record<ReducingOperator, (grid: StepGrid, param: Float64Array | undefined, memory?: ColumnMemory) => Accumulator>
> = {
  sum: (grid, _, memory) => new SumAccumulator(grid, memory),
  avg: (grid, _, memory) => new MeanAccumulator(grid, memory),
  count: (grid, _, memory) => new CountAccumulator(grid, memory),
  group: (grid) => new GroupAccumulator(grid),
  min: (grid, _, memory) => new ExtremeAccumulator(grid, -1, memory),
  max: (grid, _, memory) => new ExtremeAccumulator(grid, 1, memory),
  stdvar: (grid) => new VarianceAccumulator(grid, (variance) => variance),
  stddev: (grid) => new VarianceAccumulator(grid, Math.sqrt),
  quantile: (grid, param) => new QuantileAccumulator(grid, param!),
};

/** Makes the columns of an accumulator, of zeros. */
class OwnColumns {
  readonly #count: number;
  /** Where they all lie; undefined once one of them has no room there. */
  memory: ColumnMemory | undefined;

  constructor(count: number, memory: ColumnMemory | undefined) {
    this.#count = count;
    this.memory = memory;
  }

  floats(): Float64Array {
    const column = this.memory?.floats(this.#count);
    if (column === undefined) this.memory = undefined;
    return column ?? new Float64Array(this.#count);
  }

  flags(): Uint8Array {
    const column = this.memory?.flags(this.#count);
    if (column === undefined) this.memory = undefined;
    return column ?? new Uint8Array(this.#count);
  }
}

/** Neumaier's summation over columns: see KahanSum. */
class SumAccumulator implements Accumulator {
  readonly #sums: Float64Array;
  readonly #compensations: Float64Array;
  readonly #present: Uint8Array;
  readonly #memory: ColumnMemory | undefined;

  /** @param memory where the series come from that a kernel may add */
  constructor({ count }: StepGrid, memory: ColumnMemory | undefined) {
    const columns = new OwnColumns(count, memory);
    this.#sums = columns.floats();
    this.#compensations = columns.floats();
    this.#present = columns.flags();
    this.#memory = columns.memory;
  }

  get state(): AccumulatorState {
    return [this.#sums, this.#compensations, this.#present];
  }

  merge([otherSums, otherCompensations, isThere]: AccumulatorState): void {
    const sums = this.#sums;
    const compensations = this.#compensations;
    for (let i = 0; i < sums.length; i++) {
      if (isThere![i] === 0) continue;
      const value = otherSums![i]!;
      if (this.#present[i] === 0) {
        this.#present[i] = 1;
        sums[i] = value;
        compensations[i] = otherCompensations![i]!;
        continue;
      }
      const sum = sums[i]!;
      sums[i] = sum + value;
      compensations[i] = compensationOf(sum, value, compensations[i]! + otherCompensations![i]!);
    }
  }

  add(series: ColumnSeries): void {
    const sums = this.#sums;
    const compensations = this.#compensations;
    const present = this.#present;
    if (this.#memory !== undefined && series.memory === this.#memory && series.histograms === undefined) {
      this.#memory.wasm.addSums(
        series.values.byteOffset,
        series.present.byteOffset,
        sums.length,
        sums.byteOffset,
        compensations.byteOffset,
        present.byteOffset,
      );
      return;
    }
    const { values, present: isThere, histograms } = series;
    const first = isThere.indexOf(1);
    // Data seldom covers a long grid.
    const end = first < 0 ? 0 : isThere.lastIndexOf(1) + 1;
    for (let i = first; i < end; i++) {
      if (isThere[i] === 0 || histograms?.[i] !== undefined) continue;
      const value = values[i]!;
      if (present[i] === 0) {
        present[i] = 1;
        sums[i] = value;
        continue;
      }
      const sum = sums[i]!;
      compensations[i] = compensationOf(sum, value, compensations[i]!);
      sums[i] = sum + value;
    }
  }

  finish(): AggregatedColumn {
    const compensations = this.#compensations;
    return { values: this.#sums.map((sum, i) => sum + compensations[i]!), present: this.#present.slice() };
  }
}

/** What a step of a mean holds, in place of nothing. */
const HOLDS_SUM = 1;
const HOLDS_MEAN = 2;

/** Sum over count; where the sum overflows, the mean is carried on incrementally. */
class MeanAccumulator implements Accumulator {
  /** Sums, or means where they are held. */
  readonly #sums: Float64Array;
  readonly #compensations: Float64Array;
  readonly #held: Uint8Array;
  readonly #counts: Float64Array;
  readonly #memory: ColumnMemory | undefined;

  /** @param memory where the series come from that a kernel may add */
  constructor({ count }: StepGrid, memory: ColumnMemory | undefined) {
    const columns = new OwnColumns(count, memory);
    this.#sums = columns.floats();
    this.#compensations = columns.floats();
    this.#held = columns.flags();
    this.#counts = columns.floats();
    this.#memory = columns.memory;
  }

  get state(): AccumulatorState {
    return [this.#sums, this.#compensations, this.#held, this.#counts];
  }

  merge([sums, compensations, held, counts]: AccumulatorState): void {
    for (let i = 0; i < this.#counts.length; i++) {
      if (held![i] === 0) continue;
      if (this.#held[i] === 0) {
        this.#sums[i] = sums![i]!;
        this.#compensations[i] = compensations![i]!;
        this.#held[i] = held![i]!;
        this.#counts[i] = counts![i]!;
        continue;
      }
      const isMean = held![i] === HOLDS_MEAN;
      this.#mergeAt(i, { sum: sums![i]!, compensation: compensations![i]!, count: counts![i]!, isMean });
    }
  }

  /** @param other `sum` and `compensation` of a sum, or when it `isMean` of a mean */
  #mergeAt(i: number, other: { sum: number; compensation: number; count: number; isMean: boolean }): void {
    const count = this.#counts[i]!;
    const all = count + other.count;
    const isMean = this.#held[i] === HOLDS_MEAN;
    this.#counts[i] = all;
    let a = { sum: this.#sums[i]!, compensation: this.#compensations[i]! };
    let b: typeof a = other;
    if (isMean || other.isMean || Math.abs(a.sum + b.sum) === Infinity) {
      this.#held[i] = HOLDS_MEAN;
      a = scaled(a, (isMean ? count : 1) / all);
      b = scaled(b, (other.isMean ? other.count : 1) / all);
    }
    this.#sums[i] = a.sum + b.sum;
    this.#compensations[i] = compensationOf(a.sum, b.sum, a.compensation + b.compensation);
  }

  add(series: ColumnSeries): void {
    const counts = this.#counts;
    const { values, present, memory, histograms } = series;
    if (memory !== undefined && memory === this.#memory && histograms === undefined) {
      memory.wasm.addMeans(
        values.byteOffset,
        present.byteOffset,
        counts.length,
        this.#sums.byteOffset,
        this.#compensations.byteOffset,
        this.#held.byteOffset,
        counts.byteOffset,
      );
      return;
    }
    for (let i = 0; i < counts.length; i++) if (isFloat(series, i)) this.#addAt(i, values[i]!);
  }

  #addAt(i: number, value: number): void {
    const count = ++this.#counts[i]!;
    if (this.#held[i] === 0) {
      this.#held[i] = HOLDS_SUM;
      this.#sums[i] = value;
      return;
    }
    if (this.#held[i] === HOLDS_SUM) {
      const sum = this.#sums[i]!;
      if (Math.abs(sum + value) !== Infinity) {
        this.#addTo(i, sum, value);
        return;
      }
      this.#held[i] = HOLDS_MEAN;
      this.#sums[i] = sum / (count - 1);
      this.#compensations[i]! /= count - 1;
    }
    const weight = (count - 1) / count;
    const mean = this.#sums[i]! * weight;
    this.#compensations[i]! *= weight;
    this.#addTo(i, mean, value / count);
  }

  #addTo(i: number, sum: number, value: number): void {
    this.#compensations[i] = compensationOf(sum, value, this.#compensations[i]!);
    this.#sums[i] = sum + value;
  }

  finish(): AggregatedColumn {
    const counts = this.#counts;
    const compensations = this.#compensations;
    const values = new Float64Array(counts.length);
    for (const [i, sum] of this.#sums.entries()) {
      const isMean = this.#held[i] === HOLDS_MEAN;
      values[i] = isMean ? sum + compensations[i]! : sum / counts[i]! + compensations[i]! / counts[i]!;
    }
    return { values, present: Uint8Array.from(this.#held, (held) => Number(held > 0)) };
  }
}

function scaled(
  { sum, compensation }: { sum: number; compensation: number },
  factor: number,
): { sum: number; compensation: number } {
  return { sum: sum * factor, compensation: compensation * factor };
}

/** Histograms count too. */
class CountAccumulator implements Accumulator {
  readonly #counts: Float64Array;
  readonly #memory: ColumnMemory | undefined;

  constructor({ count }: StepGrid, memory: ColumnMemory | undefined) {
    const columns = new OwnColumns(count, memory);
    this.#counts = columns.floats();
    this.#memory = columns.memory;
  }

  get state(): AccumulatorState {
    return [this.#counts];
  }

  merge([counts]: AccumulatorState): void {
    for (let i = 0; i < this.#counts.length; i++) this.#counts[i]! += counts![i]!;
  }

  add({ present, memory }: ColumnSeries): void {
    const counts = this.#counts;
    if (memory !== undefined && memory === this.#memory) {
      memory.wasm.addCounts(present.byteOffset, counts.length, counts.byteOffset);
      return;
    }
    for (let i = 0; i < counts.length; i++) counts[i]! += present[i]!;
  }

  finish(): AggregatedColumn {
    const counts = this.#counts;
    return { values: counts.slice(), present: Uint8Array.from(counts, (count) => Number(count > 0)) };
  }
}

/** 1 where there is anything: histograms count too. */
class GroupAccumulator implements Accumulator {
  readonly #present: Uint8Array;

  constructor({ count }: StepGrid) {
    this.#present = new Uint8Array(count);
  }

  get state(): AccumulatorState {
    return [this.#present];
  }

  merge([present]: AccumulatorState): void {
    for (let i = 0; i < this.#present.length; i++) this.#present[i]! |= present![i]!;
  }

  add({ present }: ColumnSeries): void {
    for (let i = 0; i < this.#present.length; i++) this.#present[i]! |= present[i]!;
  }

  finish(): AggregatedColumn {
    return { values: new Float64Array(this.#present.length).fill(1), present: this.#present.slice() };
  }
}

/** The greatest value, or the least. NaN is neither, unless there is nothing else. */
class ExtremeAccumulator implements Accumulator {
  readonly #extremes: Float64Array;
  readonly #present: Uint8Array;
  readonly #sign: 1 | -1;
  readonly #memory: ColumnMemory | undefined;

  /** @param sign 1 for the greatest @param memory where the series come from that a kernel may add */
  constructor({ count }: StepGrid, sign: 1 | -1, memory: ColumnMemory | undefined) {
    const columns = new OwnColumns(count, memory);
    this.#extremes = columns.floats();
    this.#present = columns.flags();
    this.#memory = columns.memory;
    this.#sign = sign;
  }

  get state(): AccumulatorState {
    return [this.#extremes, this.#present];
  }

  merge([values, present]: AccumulatorState): void {
    for (let i = 0; i < this.#extremes.length; i++) if (present![i] === 1) this.#addAt(i, values![i]!);
  }

  add(series: ColumnSeries): void {
    const { values, present, memory, histograms } = series;
    const extremes = this.#extremes;
    if (memory !== undefined && memory === this.#memory && histograms === undefined) {
      const { byteOffset: there } = this.#present;
      const { wasm } = memory;
      wasm.addExtremes(values.byteOffset, present.byteOffset, extremes.length, this.#sign, extremes.byteOffset, there);
      return;
    }
    for (let i = 0; i < extremes.length; i++) if (isFloat(series, i)) this.#addAt(i, values[i]!);
  }

  #addAt(i: number, value: number): void {
    const extreme = this.#extremes[i]!;
    const isBeyond = this.#sign === 1 ? extreme < value : extreme > value;
    if (this.#present[i] === 0 || isBeyond || extreme !== extreme) this.#extremes[i] = value;
    this.#present[i] = 1;
  }

  finish(): AggregatedColumn {
    return { values: this.#extremes.slice(), present: this.#present.slice() };
  }
}

/** Welford's algorithm. */
class VarianceAccumulator implements Accumulator {
  readonly #counts: Float64Array;
  readonly #means: Float64Array;
  readonly #squares: Float64Array;
  readonly #finish: (variance: number) => number;

  constructor(grid: StepGrid, finish: (variance: number) => number) {
    this.#counts = new Float64Array(grid.count);
    this.#means = new Float64Array(grid.count);
    this.#squares = new Float64Array(grid.count);
    this.#finish = finish;
  }

  add(series: ColumnSeries): void {
    for (let i = 0; i < this.#counts.length; i++) {
      if (!isFloat(series, i)) continue;
      const value = series.values[i]!;
      const count = ++this.#counts[i]!;
      if (count === 1) {
        this.#means[i] = value;
        this.#squares[i] = Number.isFinite(value) ? 0 : NaN;
        continue;
      }
      const delta = value - this.#means[i]!;
      this.#means[i]! += delta / count;
      this.#squares[i]! += delta * (value - this.#means[i]!);
    }
  }

  finish(): AggregatedColumn {
    const values = this.#squares.map((square, i) => this.#finish(square / this.#counts[i]!));
    return { values, present: Uint8Array.from(this.#counts, (count) => Number(count > 0)) };
  }
}

class QuantileAccumulator implements Accumulator {
  readonly #series: ColumnSeries[] = [];
  readonly #quantiles: Float64Array;

  constructor(_grid: StepGrid, quantiles: Float64Array) {
    this.#quantiles = quantiles;
  }

  add(series: ColumnSeries): void {
    this.#series.push(series);
  }

  finish(): AggregatedColumn {
    const present = new Uint8Array(this.#quantiles.length);
    const gathered = new Float64Array(this.#series.length);
    const values = this.#quantiles.map((q, step) => {
      let count = 0;
      for (const series of this.#series) if (isFloat(series, step)) gathered[count++] = series.values[step]!;
      if (count === 0) return 0;
      present[step] = 1;
      return quantile(q, gathered.subarray(0, count));
    });
    return { values, present };
  }
}
