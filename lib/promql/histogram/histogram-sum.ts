import { bucketBound, type FloatHistogram } from '../../model/index.ts';
import { KahanSum } from '../eval/kahan.ts';
import { BucketSums, coarserIndex } from './bucket-sums.ts';
import { coarserBucket, commonBounds, hasCustomBuckets, sameBounds } from './custom-bounds.ts';
import { bucketList, spansOf } from './layouts.ts';

type CounterResetHint = FloatHistogram['counterResetHint'];

/**
 * A histogram that others are added to or subtracted from (Prometheus `FloatHistogram.KahanAdd`, `Sub`). Where resolutions
 * differ the coarser is taken, where zero buckets differ the wider one, of custom bounds those that both have.
 */
export class HistogramSum {
  #hint: CounterResetHint;
  #schema: number;
  #customValues: Float64Array;
  #zeroThreshold: number;
  readonly #zeroCount = new KahanSum();
  readonly #count = new KahanSum();
  readonly #sum = new KahanSum();
  #positive: BucketSums;
  #negative: BucketSums;
  /** The last histogram added says "reset" where those before say "not reset", or the other way round. */
  hasConflictingHints = false;
  /** Custom bounds differed, in any addition. */
  hasReconciledBounds = false;

  constructor(first: FloatHistogram) {
    this.#hint = first.counterResetHint;
    this.#schema = first.schema;
    this.#customValues = first.customValues;
    this.#zeroThreshold = first.zeroThreshold;
    this.#zeroCount.set(first.zeroCount, 0);
    this.#count.set(first.count, 0);
    this.#sum.set(first.sum, 0);
    this.#positive = new BucketSums(bucketList(first.positiveSpans, first.positiveBuckets));
    this.#negative = new BucketSums(bucketList(first.negativeSpans, first.negativeBuckets));
  }

  copy(): HistogramSum {
    const copy = new HistogramSum(this.result());
    copy.#zeroCount.set(this.#zeroCount.sum, this.#zeroCount.compensation);
    copy.#count.set(this.#count.sum, this.#count.compensation);
    copy.#sum.set(this.#sum.sum, this.#sum.compensation);
    copy.#positive = this.#positive.copy();
    copy.#negative = this.#negative.copy();
    copy.hasConflictingHints = this.hasConflictingHints;
    copy.hasReconciledBounds = this.hasReconciledBounds;
    return copy;
  }

  /**
   * @param sign -1 subtracts
   * @returns false when only one of the two has custom buckets: then nothing was added
   */
  add(other: FloatHistogram, sign: 1 | -1 = 1): boolean {
    const isCustom = hasCustomBuckets({ schema: this.#schema });
    if (isCustom !== hasCustomBuckets(other)) return false;
    this.#adjustHint(other.counterResetHint);
    if (!isCustom) this.#addZeroBucket(other, sign);
    this.#count.add(sign * other.count);
    this.#sum.add(sign * other.sum);
    if (isCustom) this.#addCustomBuckets(other, sign);
    else this.#addExponentialBuckets(other, sign);
    return true;
  }

  /** Gauges win; what is unknown of one is unknown of the sum. */
  #adjustHint(other: CounterResetHint): void {
    const own = this.#hint;
    this.hasConflictingHints = false;
    if (other === own || own === 'gauge') return;
    if (other === 'gauge') this.#hint = 'gauge';
    else {
      this.hasConflictingHints = own !== 'unknown' && other !== 'unknown';
      this.#hint = 'unknown';
    }
  }

  /** Widens the zero bucket of one or both until they are equal, then adds the other's. */
  #addZeroBucket(other: FloatHistogram, sign: 1 | -1): void {
    if (other.zeroThreshold === this.#zeroThreshold) {
      this.#zeroCount.add(sign * other.zeroCount);
      return;
    }
    const widened = new HistogramSum(other);
    // Each widening may take a populated bucket in whole and so go beyond what was asked for.
    for (;;) {
      if (this.#zeroThreshold > widened.#zeroThreshold) widened.widenZeroBucket(this.#zeroThreshold);
      if (!(widened.#zeroThreshold > this.#zeroThreshold)) break;
      this.widenZeroBucket(widened.#zeroThreshold);
    }
    this.#zeroCount.add(sign * widened.#zeroCount.sum);
    this.#zeroCount.add(sign * widened.#zeroCount.compensation);
  }

  /**
   * Moves the buckets near zero into the zero bucket. A populated bucket that `threshold` falls into moves in whole.
   * @param threshold at least that of the histogram
   * @returns the new threshold: `threshold` or the far bound of such a bucket
   */
  widenZeroBucket(threshold: number): number {
    let wider = threshold;
    const bound = (index: number): number =>
      bucketBound({ schema: this.#schema, customValues: this.#customValues }, index);
    const sides = [this.#positive, this.#negative];
    // A threshold of NaN must end it too.
    for (let before: number | undefined; !Object.is(before, wider);) {
      before = wider;
      for (const { indexes, sums } of sides) {
        const place = indexes.findIndex((index) => bound(index) > wider);
        const straddles = place >= 0 && bound(indexes[place]! - 1) < wider && sums[place] !== 0;
        if (straddles) wider = bound(indexes[place]!);
      }
    }
    const isInside = (index: number): boolean => bound(index - 1) < wider;
    for (const side of sides) {
      for (const [i, index] of side.indexes.entries()) {
        if (!isInside(index)) break;
        this.#zeroCount.add(side.sums[i]!);
        this.#zeroCount.add(side.compensations[i]!);
      }
      side.keep((index) => !isInside(index));
    }
    this.#zeroThreshold = wider;
    return wider;
  }

  #addCustomBuckets(other: FloatHistogram, sign: 1 | -1): void {
    const list = bucketList(other.positiveSpans, other.positiveBuckets);
    if (sameBounds(this.#customValues, other.customValues)) {
      this.#positive.add(list, sign);
      return;
    }
    this.hasReconciledBounds = true;
    const bounds = commonBounds(this.#customValues, other.customValues);
    const added = new BucketSums(list);
    added.reindex(coarserBucket(other.customValues, bounds));
    this.#positive.reindex(coarserBucket(this.#customValues, bounds));
    this.#positive.addSums(added, sign);
    this.#positive.keep(() => true);
    this.#customValues = bounds;
  }

  #addExponentialBuckets(other: FloatHistogram, sign: 1 | -1): void {
    if (other.schema < this.#schema) this.reduceTo(other.schema);
    for (const [side, spans, counts] of [
      [this.#positive, other.positiveSpans, other.positiveBuckets],
      [this.#negative, other.negativeSpans, other.negativeBuckets],
    ] as const) {
      const list = bucketList(spans, counts);
      if (other.schema === this.#schema) {
        side.add(list, sign, this.#firstOutsideZero(list.indexes));
        continue;
      }
      const reduced = new BucketSums(list);
      reduced.reindex((index) => coarserIndex(index, other.schema, this.#schema));
      side.addSums(reduced, sign, this.#firstOutsideZero(reduced.indexes));
    }
  }

  /** The first of the buckets that does not lie in the zero bucket: those are counted already. */
  #firstOutsideZero(indexes: readonly number[]): number {
    const layout = { schema: this.#schema, customValues: this.#customValues };
    return indexes.find((index) => bucketBound(layout, index) > this.#zeroThreshold) ?? Infinity;
  }

  /** Merges exponential buckets to those of a coarser schema. */
  reduceTo(schema: number): void {
    const from = this.#schema;
    if (schema === from) return;
    this.#positive.reindex((index) => coarserIndex(index, from, schema));
    this.#negative.reindex((index) => coarserIndex(index, from, schema));
    this.#schema = schema;
  }

  /** Multiplies every number that the histogram counts with, then divides it. */
  scale(factor: number, divisor = 1): void {
    for (const number of [this.#zeroCount, this.#count, this.#sum]) {
      number.set((number.sum * factor) / divisor, (number.compensation * factor) / divisor);
    }
    this.#positive.scale(factor, divisor);
    this.#negative.scale(factor, divisor);
  }

  get overflows(): boolean {
    const isInfinite = ({ sum }: KahanSum): boolean => Math.abs(sum) === Infinity;
    if (isInfinite(this.#zeroCount) || isInfinite(this.#count) || isInfinite(this.#sum)) return true;
    return this.#positive.overflows || this.#negative.overflows;
  }

  /** The sum, or its quotient. */
  result(divisor = 1): FloatHistogram {
    const quotient = ({ sum, compensation }: KahanSum): number => sum / divisor + compensation / divisor;
    return {
      counterResetHint: this.#hint,
      schema: this.#schema,
      zeroThreshold: this.#zeroThreshold,
      zeroCount: quotient(this.#zeroCount),
      count: quotient(this.#count),
      sum: quotient(this.#sum),
      positiveSpans: spansOf(this.#positive.indexes),
      negativeSpans: spansOf(this.#negative.indexes),
      positiveBuckets: this.#positive.totals(divisor),
      negativeBuckets: this.#negative.totals(divisor),
      customValues: this.#customValues,
    };
  }
}
