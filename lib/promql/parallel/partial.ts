import { Labels } from '../../model/index.ts';

export type Column = Float64Array | Uint8Array;

/**
 * What an aggregation has made of a part of its series: plain data that goes between threads as it is. Of each label set there
 * are columns, as long as the grid; those of all label sets lie one behind the other.
 *
 * ```
 * labels     a           b           …
 * columns[0] a₀ a₁ … aₙ  b₀ b₁ … bₙ  …
 * columns[1] a₀ a₁ … aₙ  b₀ b₁ … bₙ  …
 * ```
 */
export interface PartialAggregation {
  /** By label set: name, value, name, … */
  readonly labels: readonly (readonly string[])[];
  /** By label set, as in ColumnSeries. */
  readonly dropNames: readonly boolean[];
  readonly columns: readonly Column[];
  /** There were native histograms, which were left out. */
  readonly hasHistograms: boolean;
}

/** Writes the columns of one label set after the other. */
export class PartialBuilder {
  readonly #count: number;
  readonly #stepCount: number;
  readonly #labels: (readonly string[])[] = [];
  readonly #dropNames: boolean[] = [];
  #columns: Column[] | undefined;

  /** @param count of label sets, at most */
  constructor(count: number, stepCount: number) {
    this.#count = count;
    this.#stepCount = stepCount;
  }

  /** @param columns as many and of the same kinds for each label set */
  add(labels: Labels, dropName: boolean, columns: readonly Column[]): void {
    const at = this.#labels.length * this.#stepCount;
    this.#labels.push(labels.pairs);
    this.#dropNames.push(dropName);
    const length = this.#count * this.#stepCount;
    this.#columns ??= columns.map((column) =>
      column instanceof Uint8Array ? new Uint8Array(length) : new Float64Array(length),
    );
    columns.forEach((column, i) => this.#columns![i]!.set(column, at));
  }

  finish(hasHistograms: boolean): PartialAggregation {
    return { labels: this.#labels, dropNames: this.#dropNames, columns: this.#columns ?? [], hasHistograms };
  }
}

/** The label sets with their columns, as views. */
export function* entriesOf(
  { labels, dropNames, columns }: PartialAggregation,
  stepCount: number,
): Generator<{ labels: Labels; dropName: boolean; columns: Column[] }> {
  for (const [i, pairs] of labels.entries()) {
    const own = columns.map((column) => column.subarray(i * stepCount, (i + 1) * stepCount));
    yield { labels: new Labels(pairs), dropName: dropNames[i]!, columns: own };
  }
}

export function partialBytes({ columns }: PartialAggregation): number {
  return columns.reduce((bytes, { byteLength }) => bytes + byteLength, 0);
}

/** Work, in units of 10 ns, for which it is worth making one: several times what it costs to make it and to add it. */
export function leastWork(partial: PartialAggregation): number {
  return 2 * partialBytes(partial);
}
