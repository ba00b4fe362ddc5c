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
      this.#sum.scale(1, count - 1);
    }
    this.#count = count;
    this.#sum.scale((count - 1) / count);
    return this.#sum.add(divided(other, count));
  }

  result(): FloatHistogram {
    return this.#sum.result(this.#isIncremental ? 1 : this.#count);
  }
}

function isLarge({ count, sum, zeroCount, positiveBuckets, negativeBuckets }: FloatHistogram): boolean {
  const areSmall = Math.abs(count) < LARGE && Math.abs(sum) < LARGE && Math.abs(zeroCount) < LARGE;
  return !areSmall || hasLarge(positiveBuckets) || hasLarge(negativeBuckets);
}

function hasLarge(counts: Float64Array): boolean {
  for (let i = 0; i < counts.length; i++) if (!(Math.abs(counts[i]!) < LARGE)) return true;
  return false;
}
