import { bucketBound, bucketIndexes, CUSTOM_BUCKETS_SCHEMA } from './histogram-buckets.ts';
import type { FloatHistogram } from './sample.ts';

/**
 * The buckets of a histogram from the lowest to the highest: negative ones, the zero bucket where it counted something,
 * positive ones (Prometheus `AllBucketIterator`). Empty buckets that are written out are among them.
 */
export class OrderedBuckets {
  readonly length: number;
  readonly #histogram: FloatHistogram;
  readonly #negative: readonly number[];
  readonly #positive: readonly number[];
  /** Place of the first positive bucket; the zero bucket, if there is one, is just below. */
  readonly #firstPositive: number;

  constructor(histogram: FloatHistogram) {
    this.#histogram = histogram;
    this.#negative = bucketIndexes(histogram.negativeSpans);
    this.#positive = bucketIndexes(histogram.positiveSpans);
    this.#firstPositive = this.#negative.length + (histogram.zeroCount > 0 ? 1 : 0);
    this.length = this.#firstPositive + this.#positive.length;
  }

  count(place: number): number {
    const { negativeBuckets, positiveBuckets, zeroCount } = this.#histogram;
    if (place >= this.#firstPositive) return positiveBuckets[place - this.#firstPositive]!;
    const last = this.#negative.length - 1;
    return place <= last ? negativeBuckets[last - place]! : zeroCount;
  }

  lower(place: number): number {
    const { zeroThreshold } = this.#histogram;
    const negativeIndex = this.#negative[this.#negative.length - 1 - place];
    if (negativeIndex !== undefined) return -bucketBound(this.#histogram, negativeIndex);
    if (place < this.#firstPositive) return -zeroThreshold;
    const lower = bucketBound(this.#histogram, this.#positive[place - this.#firstPositive]! - 1);
    return lower > 0 && lower < zeroThreshold ? zeroThreshold : lower;
  }

  upper(place: number): number {
    const { zeroThreshold } = this.#histogram;
    const negativeIndex = this.#negative[this.#negative.length - 1 - place];
    if (negativeIndex !== undefined) {
      const upper = -bucketBound(this.#histogram, negativeIndex - 1);
      return upper < 0 && upper > -zeroThreshold ? -zeroThreshold : upper;
    }
    if (place < this.#firstPositive) return zeroThreshold;
    return bucketBound(this.#histogram, this.#positive[place - this.#firstPositive]!);
  }

  /** The lower bound belongs to the bucket. */
  includesLower(place: number): boolean {
    if (this.#histogram.schema === CUSTOM_BUCKETS_SCHEMA) return this.#positive[place - this.#firstPositive] === 0;
    return place < this.#firstPositive;
  }

  /** The upper bound belongs to the bucket. */
  includesUpper(place: number): boolean {
    return place >= this.#negative.length;
  }
}
