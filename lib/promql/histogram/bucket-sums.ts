/** Buckets of one sign: ascending indexes, and a count for each. */
export interface BucketList {
  readonly indexes: readonly number[];
  readonly counts: Float64Array;
}

const NO_COUNTS = new Float64Array(0);

/** The index, at a coarser schema, of the bucket that holds bucket `index` (`targetIdx` of model/histogram). */
export function coarserIndex(index: number, fromSchema: number, toSchema: number): number {
  return ((index - 1) >> (fromSchema - toSchema)) + 1;
}

/** Buckets of one sign that others are added to, by Neumaier's compensated summation: a count is its sum + compensation. */
export class BucketSums {
  /** Never written to: lists of one layout share it, which is what makes adding them fast. */
  #indexes: readonly number[];
  #sums: Float64Array;
  #compensations: Float64Array;

  constructor({ indexes, counts }: BucketList) {
    this.#indexes = indexes;
    // Most histograms have no negative buckets.
    this.#sums = counts.length === 0 ? NO_COUNTS : counts.slice();
    this.#compensations = counts.length === 0 ? NO_COUNTS : new Float64Array(counts.length);
  }

  copy(): BucketSums {
    const copy = new BucketSums({ indexes: this.#indexes, counts: this.#sums });
    copy.#compensations.set(this.#compensations);
    return copy;
  }

  get indexes(): readonly number[] {
    return this.#indexes;
  }

  /** The sums without their compensations. */
  get sums(): Float64Array {
    return this.#sums;
  }

  get compensations(): Float64Array {
    return this.#compensations;
  }

  /** The counts, compensated, each divided. */
  totals(divisor = 1): Float64Array {
    if (this.#sums.length === 0) return NO_COUNTS;
    const totals = new Float64Array(this.#sums.length);
    for (let i = 0; i < totals.length; i++) totals[i] = this.#sums[i]! / divisor + this.#compensations[i]! / divisor;
    return totals;
  }

  /** Adds each bucket `sign` times, those with indexes below `first` left out. */
  add({ indexes, counts }: BucketList, sign: 1 | -1, first = -Infinity): void {
    let from = 0;
    while (from < indexes.length && indexes[from]! < first) from++;
    if (indexes === this.#indexes) {
      for (let i = from; i < counts.length; i++) addTo(this.#sums, this.#compensations, i, sign * counts[i]!);
      return;
    }
    this.#makeRoom(indexes, from);
    for (let i = from, place = 0; i < indexes.length; i++) {
      // Damaged data may name buckets out of order: those are lost.
      while (place < this.#indexes.length && this.#indexes[place] !== indexes[i]) place++;
      addTo(this.#sums, this.#compensations, place, sign * counts[i]!);
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
    const merged: number[] = [];
    const sums = new Float64Array(own.length + missing);
    const compensations = new Float64Array(own.length + missing);
    for (let i = from, place = 0; i < indexes.length || place < own.length;) {
      const index = Math.min(indexes[i] ?? Infinity, own[place] ?? Infinity);
      if (own[place] === index) {
        sums[merged.length] = this.#sums[place]!;
        compensations[merged.length] = this.#compensations[place]!;
        place++;
      }
      if (indexes[i] === index) i++;
      merged.push(index);
    }
    this.#indexes = merged;
    this.#sums = sums;
    this.#compensations = compensations;
  }

  /** Gives every bucket a new index, ascending as before; buckets whose indexes become equal are added up. */
  reindex(newIndex: (index: number) => number): void {
    const merged: number[] = [];
    const sums = new Float64Array(this.#sums.length);
    const compensations = new Float64Array(this.#sums.length);
    for (const [i, index] of this.#indexes.entries()) {
      const target = newIndex(index);
      const last = merged.length - 1;
      if (last >= 0 && merged[last] === target) {
        addTo(sums, compensations, last, this.#sums[i]!);
        addTo(sums, compensations, last, this.#compensations[i]!);
      } else {
        sums[merged.length] = this.#sums[i]!;
        compensations[merged.length] = this.#compensations[i]!;
        merged.push(target);
      }
    }
    this.#take(merged, sums, compensations);
  }

  /** Removes the buckets that do not satisfy `isKept`, and all empty ones. */
  keep(isKept: (index: number) => boolean): void {
    const kept: number[] = [];
    const sums = new Float64Array(this.#sums.length);
    const compensations = new Float64Array(this.#sums.length);
    for (const [i, index] of this.#indexes.entries()) {
      const isEmpty = this.#sums[i] === 0 && this.#compensations[i] === 0;
      if (isEmpty || !isKept(index)) continue;
      sums[kept.length] = this.#sums[i]!;
      compensations[kept.length] = this.#compensations[i]!;
      kept.push(index);
    }
    this.#take(kept, sums, compensations);
  }

  #take(indexes: readonly number[], sums: Float64Array, compensations: Float64Array): void {
    this.#indexes = indexes;
    this.#sums = sums.subarray(0, indexes.length);
    this.#compensations = compensations.subarray(0, indexes.length);
  }

  /** Multiplies every sum and compensation, then divides it. */
  scale(factor: number, divisor: number): void {
    for (let i = 0; i < this.#sums.length; i++) {
      this.#sums[i] = (this.#sums[i]! * factor) / divisor;
      this.#compensations[i] = (this.#compensations[i]! * factor) / divisor;
    }
  }

  get overflows(): boolean {
    return this.#sums.includes(Infinity) || this.#sums.includes(-Infinity);
  }
}

/** See KahanSum. */
function addTo(sums: Float64Array, compensations: Float64Array, place: number, value: number): void {
  const sum = sums[place]!;
  const total = sum + value;
  if (total === Infinity || total === -Infinity) compensations[place] = 0;
  else if (Math.abs(sum) >= Math.abs(value)) compensations[place]! += sum - total + value;
  else compensations[place]! += value - total + sum;
  sums[place] = total;
}
