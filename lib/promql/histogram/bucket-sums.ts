/** Buckets of one sign: ascending indexes, and a count for each. */
export interface BucketList {
  readonly indexes: readonly number[];
  readonly counts: Float64Array | readonly number[];
}

/** The index, at a coarser schema, of the bucket that holds bucket `index` (`targetIdx` of model/histogram). */
export function coarserIndex(index: number, fromSchema: number, toSchema: number): number {
  return ((index - 1) >> (fromSchema - toSchema)) + 1;
}

/** Buckets of one sign that others are added to, by Neumaier's compensated summation: a count is its sum + compensation. */
export class BucketSums {
  #indexes: number[];
  #sums: number[];
  #compensations: number[];

  constructor({ indexes, counts }: BucketList) {
    this.#indexes = [...indexes];
    this.#sums = [...counts];
    this.#compensations = indexes.map(() => 0);
  }

  copy(): BucketSums {
    const copy = new BucketSums({ indexes: this.#indexes, counts: this.#sums });
    copy.#compensations = [...this.#compensations];
    return copy;
  }

  get indexes(): readonly number[] {
    return this.#indexes;
  }

  /** The sums without their compensations. */
  get sums(): readonly number[] {
    return this.#sums;
  }

  get compensations(): readonly number[] {
    return this.#compensations;
  }

  /** The counts, compensated. */
  totals(): Float64Array {
    return Float64Array.from(this.#sums, (sum, i) => sum + this.#compensations[i]!);
  }

  /** Adds each bucket `sign` times, those with indexes below `first` left out. */
  add({ indexes, counts }: BucketList, sign: 1 | -1, first = -Infinity): void {
    let from = 0;
    while (from < indexes.length && indexes[from]! < first) from++;
    this.#makeRoom(indexes, from);
    for (let i = from, place = 0; i < indexes.length; i++) {
      while (this.#indexes[place] !== indexes[i]) place++;
      this.#addAt(place, sign * counts[i]!);
    }
  }

  /** Adds what another has summed up. */
  addSums(other: BucketSums, sign: 1 | -1, first = -Infinity): void {
    this.add({ indexes: other.#indexes, counts: other.#sums }, sign, first);
    this.add({ indexes: other.#indexes, counts: other.#compensations }, sign, first);
  }

  /** Adds empty buckets for those of `indexes`, from place `from` on, that are missing. */
  #makeRoom(indexes: readonly number[], from: number): void {
    const own = this.#indexes;
    let missing = 0;
    for (let i = from, place = 0; i < indexes.length; i++) {
      while (place < own.length && own[place]! < indexes[i]!) place++;
      if (own[place] !== indexes[i]) missing++;
    }
    if (missing === 0) return;
    const sums = this.#sums;
    const compensations = this.#compensations;
    this.#indexes = [];
    this.#sums = [];
    this.#compensations = [];
    for (let i = from, place = 0; i < indexes.length || place < own.length;) {
      const index = Math.min(indexes[i] ?? Infinity, own[place] ?? Infinity);
      const isOwn = own[place] === index;
      this.#indexes.push(index);
      this.#sums.push(isOwn ? sums[place]! : 0);
      this.#compensations.push(isOwn ? compensations[place]! : 0);
      if (indexes[i] === index) i++;
      if (isOwn) place++;
    }
  }

  #addAt(place: number, value: number): void {
    const sum = this.#sums[place]!;
    const total = sum + value;
    if (total === Infinity || total === -Infinity) this.#compensations[place] = 0;
    else if (Math.abs(sum) >= Math.abs(value)) this.#compensations[place]! += sum - total + value;
    else this.#compensations[place]! += value - total + sum;
    this.#sums[place] = total;
  }

  /** Gives every bucket a new index, ascending as before; buckets whose indexes become equal are added up. */
  reindex(newIndex: (index: number) => number): void {
    const before = this.copy();
    this.#indexes = [];
    this.#sums = [];
    this.#compensations = [];
    for (const [i, index] of before.#indexes.entries()) {
      const target = newIndex(index);
      const last = this.#indexes.length - 1;
      if (last >= 0 && this.#indexes[last] === target) {
        this.#addAt(last, before.#sums[i]!);
        this.#addAt(last, before.#compensations[i]!);
      } else {
        this.#indexes.push(target);
        this.#sums.push(before.#sums[i]!);
        this.#compensations.push(before.#compensations[i]!);
      }
    }
  }

  /** Removes the buckets that do not satisfy `isKept`, and all empty ones. */
  keep(isKept: (index: number) => boolean): void {
    const before = this.copy();
    this.#indexes = [];
    this.#sums = [];
    this.#compensations = [];
    for (const [i, index] of before.#indexes.entries()) {
      const isEmpty = before.#sums[i] === 0 && before.#compensations[i] === 0;
      if (isEmpty || !isKept(index)) continue;
      this.#indexes.push(index);
      this.#sums.push(before.#sums[i]!);
      this.#compensations.push(before.#compensations[i]!);
    }
  }

  /** Changes every sum and compensation. */
  map(change: (count: number) => number): void {
    this.#sums = this.#sums.map(change);
    this.#compensations = this.#compensations.map(change);
  }

  get overflows(): boolean {
    return this.#sums.some((sum) => sum === Infinity || sum === -Infinity);
  }
}
