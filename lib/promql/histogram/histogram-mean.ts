import type { FloatHistogram } from '../../model/index.ts';
import { divided } from './arithmetic.ts';
import { HistogramSum } from './histogram-sum.ts';

/** Below this no sum of a few million counts overflows. */
const LARGE = 1e300;

/** The mean of histograms: their sum over their count; where the sum overflows, the mean is carried on incrementally. */
export class HistogramMean {
  #sum: HistogramSum;
  #count = 1;
  #isIncremental = false;
  /** Something added so far comes near overflow. */
  #isLarge: boolean;

  constructor(first: FloatHistogram) {
    this.#sum = new HistogramSum(first);
    this.#isLarge = isLarge(first);
  }

  get hasReconciledBounds(): boolean {
    return this.#sum.hasReconciledBounds;
  }

  /** @returns false when only one of the two has custom buckets: then nothing was added */
  add(other: FloatHistogram): boolean {
    const count = this.#count + 1;
    if (!this.#isIncremental) {
      this.#isLarge ||= isLarge(other);
      const before = this.#isLarge ? this.#sum.copy() : undefined;
      if (!this.#sum.add(other)) return false;
      if (before === undefined || !this.#sum.overflows) {
        this.#count = count;
        return true;
      }
      this.#sum = before;
      this.#isIncremental = true;
      this.#sum.map((total) => total / (count - 1));
    }
    this.#count = count;
    const weight = (count - 1) / count;
    this.#sum.map((mean) => mean * weight);
    return this.#sum.add(divided(other, count));
  }

  result(): FloatHistogram {
    const count = this.#count;
    const mean = this.#sum.copy();
    if (!this.#isIncremental) mean.map((total) => total / count);
    return mean.result();
  }
}

function isLarge(histogram: FloatHistogram): boolean {
  const isLargeNumber = (value: number): boolean => !(Math.abs(value) < LARGE);
  const { count, sum, zeroCount, positiveBuckets, negativeBuckets } = histogram;
  return (
    [count, sum, zeroCount].some(isLargeNumber) ||
    positiveBuckets.some(isLargeNumber) ||
    negativeBuckets.some(isLargeNumber)
  );
}
