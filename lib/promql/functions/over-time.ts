import type { FloatHistogram } from '../../model/index.ts';
import { KahanSum, mean } from '../eval/kahan.ts';
import { quantile } from '../eval/quantile.ts';
import type { Window, WindowKernel } from './window-driver.ts';
import type { WindowSweeper } from '../eval/window-sweeper.ts';

/** Above this a partial sum might overflow where Prometheus's own order of adding does not, or the other way round. */
const LARGE = 1e300;
/** Windows that share less than this many slides are summed from scratch each time. */
const MIN_OVERLAP = 4;

/** In Prometheus's order and to its last bit: where little is gained by sliding, or nothing because windows do not move. */
function isSummedDirectly({ slideMs, rangeMs }: Window): boolean {
  return slideMs === 0 || slideMs * MIN_OVERLAP > rangeMs;
}

/**
 * `sum_over_time` in O(samples + steps): the window is cut at `middle` into a left part, whose suffix sums are kept, and a
 * right part with a running sum. When the window leaves the left part behind, the right part becomes it.
 *
 *     low ────── middle ────── high
 *      suffix sums │ running sum
 */
export class SumKernel implements WindowKernel {
  result = 0;
  readonly #right = new KahanSum();
  readonly #scratch = new KahanSum();
  /** Sum of the samples i … middle − 1. */
  #suffixSums = new Float64Array(256);
  #suffixCompensations = new Float64Array(256);
  #middle = 0;
  /** The running sum covers middle … rightEnd − 1. */
  #rightEnd = 0;
  #isDirect = false;

  begin(window: Window): void {
    const { values, length } = window;
    this.#middle = 0;
    this.#rightEnd = 0;
    this.#right.set(0, 0);
    this.#isDirect = isSummedDirectly(window);
    if (this.#suffixSums.length < length) {
      this.#suffixSums = new Float64Array(length * 2);
      this.#suffixCompensations = new Float64Array(length * 2);
    }
    for (let i = 0; i < length && !this.#isDirect; i++) this.#isDirect = !(Math.abs(values[i]!) < LARGE);
  }

  evaluate(window: Window): boolean {
    const total = this.#isDirect ? this.#sumDirectly(window) : this.#slideTo(window);
    this.result = Math.abs(total.sum) === Infinity ? total.sum : total.total;
    return true;
  }

  #sumDirectly(window: Window): KahanSum {
    const total = this.#scratch;
    total.set(0, 0);
    for (let i = window.low; i < window.high; i++) total.add(window.values[i]!);
    return total;
  }

  sweep(window: Window, sweeper: WindowSweeper): number {
    return sweepSum(window, sweeper, false);
  }

  #slideTo(window: Window): KahanSum {
    const { values, low, high } = window;
    if (low >= this.#middle) this.#cut(values, low, high);
    for (; this.#rightEnd < high; this.#rightEnd++) this.#right.add(values[this.#rightEnd]!);
    const total = this.#scratch;
    total.set(this.#right.sum, this.#right.compensation);
    if (low < this.#middle) {
      total.add(this.#suffixSums[low]!);
      total.compensation += this.#suffixCompensations[low]!;
    }
    return total;
  }

  #cut(values: Float64Array, low: number, high: number): void {
    const suffix = this.#scratch;
    suffix.set(0, 0);
    for (let i = high - 1; i >= low; i--) {
      suffix.add(values[i]!);
      this.#suffixSums[i] = suffix.sum;
      this.#suffixCompensations[i] = suffix.compensation;
    }
    this.#middle = high;
    this.#rightEnd = high;
    this.#right.set(0, 0);
  }
}

/** `avg_over_time`: the sum over the count; means of very large samples are taken from scratch. */
export class MeanKernel implements WindowKernel {
  result = 0;
  readonly #sum = new SumKernel();
  #isDirect = false;

  begin(window: Window): void {
    const { values, length } = window;
    this.#isDirect = isSummedDirectly(window);
    for (let i = 0; i < length && !this.#isDirect; i++) this.#isDirect = !(Math.abs(values[i]!) < LARGE);
    if (!this.#isDirect) this.#sum.begin(window);
  }

  evaluate(window: Window): boolean {
    const { values, low, high } = window;
    if (this.#isDirect) this.result = mean(values, low, high);
    else {
      this.#sum.evaluate(window);
      this.result = this.#sum.result / (high - low);
    }
    return true;
  }

  sweep(window: Window, sweeper: WindowSweeper): number {
    return sweepSum(window, sweeper, true);
  }
}

function sweepSum(window: Window, sweeper: WindowSweeper, isMean: boolean): number {
  const suffixes = sweeper.scratch(16 * window.length);
  return sweeper.run('sweepSum', window, Number(isMean), Number(isSummedDirectly(window)), suffixes);
}

/** `count_over_time`. */
export class CountKernel implements WindowKernel {
  result = 0;

  evaluate({ low, high }: Window): boolean {
    this.result = high - low;
    return true;
  }

  sweep(window: Window, sweeper: WindowSweeper): number {
    return sweeper.run('sweepCount', window);
  }
}

/** `present_over_time`, `absent_over_time`. */
export class PresentKernel implements WindowKernel {
  result = 1;

  evaluate(): boolean {
    return true;
  }

  sweep(window: Window, sweeper: WindowSweeper): number {
    const found = sweeper.run('lookUp', window);
    sweeper.values.fill(1);
    return found;
  }
}

type Extreme = 'min' | 'max';

/** Which of equal samples is the extreme: 0 and −0 are equal, too. */
type OfEqual = 'first' | 'last';

/** Finds the extreme of each window: a queue of the samples that may still become it. */
class ExtremeQueue {
  readonly #sign: 1 | -1;
  readonly #takesLast: boolean;
  /** Indices, ascending; their values get no better towards the back. NaN never enters. */
  #queue = new Int32Array(256);
  #front = 0;
  #back = 0;
  /** Samples below this index were offered to the queue. */
  #seen = 0;

  constructor(which: Extreme, ofEqual: OfEqual) {
    this.#sign = which === 'max' ? 1 : -1;
    this.#takesLast = ofEqual === 'last';
  }

  begin(window: Window): void {
    if (this.#queue.length < window.length) this.#queue = new Int32Array(window.length * 2);
    this.#front = 0;
    this.#back = 0;
    this.#seen = 0;
  }

  /** @returns the index of the extreme; the last of all when all are NaN */
  slideTo({ values, low, high }: Window): number {
    const queue = this.#queue;
    const sign = this.#sign;
    if (this.#seen < low) this.#seen = low;
    for (; this.#seen < high; this.#seen++) {
      const value = values[this.#seen]! * sign;
      if (value !== value) continue;
      while (this.#back > this.#front && this.#isBeaten(values[queue[this.#back - 1]!]! * sign, value)) this.#back--;
      queue[this.#back++] = this.#seen;
    }
    while (this.#front < this.#back && queue[this.#front]! < low) this.#front++;
    return this.#front < this.#back ? queue[this.#front]! : high - 1;
  }

  /** An earlier sample will no longer be the extreme. */
  #isBeaten(earlier: number, value: number): boolean {
    return earlier < value || (this.#takesLast && earlier === value);
  }
}

/** `min_over_time`, `max_over_time`. */
export class ExtremeKernel implements WindowKernel {
  result = 0;
  readonly #which: Extreme;
  readonly #queue: ExtremeQueue;

  constructor(which: Extreme) {
    this.#which = which;
    this.#queue = new ExtremeQueue(which, 'first');
  }

  begin(window: Window): void {
    this.#queue.begin(window);
  }

  evaluate(window: Window): boolean {
    this.result = window.values[this.#queue.slideTo(window)]!;
    return true;
  }

  sweep(window: Window, sweeper: WindowSweeper): number {
    return sweeper.run('sweepExtreme', window, this.#which === 'max' ? 1 : -1, sweeper.scratch(4 * window.length));
  }
}

/** `ts_of_min_over_time`, `ts_of_max_over_time`. */
export class ExtremeTimeKernel implements WindowKernel {
  result = 0;
  readonly #queue: ExtremeQueue;

  constructor(which: Extreme) {
    this.#queue = new ExtremeQueue(which, 'last');
  }

  begin(window: Window): void {
    this.#queue.begin(window);
  }

  evaluate(window: Window): boolean {
    this.result = window.timestamps[this.#queue.slideTo(window)]! / 1000;
    return true;
  }
}

export class LastKernel implements WindowKernel {
  result = 0;
  histogram: FloatHistogram | undefined;

  evaluate(window: Window): boolean {
    this.result = window.values[window.high - 1]!;
    this.histogram = window.histograms?.[window.high - 1];
    return true;
  }

  /** No sample is stale: the newest of a window is what a selector would find that looked back so far. */
  sweep(window: Window, sweeper: WindowSweeper): number {
    return sweeper.run('lookUp', window);
  }
}

export class FirstKernel implements WindowKernel {
  result = 0;
  histogram: FloatHistogram | undefined;

  evaluate(window: Window): boolean {
    this.result = window.values[window.low]!;
    this.histogram = window.histograms?.[window.low];
    return true;
  }
}

const meanSum = new KahanSum();
const squareSum = new KahanSum();

/** Welford's algorithm on compensated sums (`varianceOverTime`). */
export function stdvar(window: Window): number {
  meanSum.set(0, 0);
  squareSum.set(0, 0);
  const { values, low, high } = window;
  for (let i = low; i < high; i++) {
    const value = values[i]!;
    const delta = value - meanSum.total;
    meanSum.add(delta / (i - low + 1));
    squareSum.add(delta * (value - meanSum.total));
  }
  return squareSum.total / (high - low);
}

export function stddev(window: Window): number {
  return Math.sqrt(stdvar(window));
}

/** Median absolute deviation. */
export function mad(window: Window): number {
  const values = window.values.slice(window.low, window.high);
  if (values.some(Number.isNaN)) return NaN;
  const median = quantile(0.5, values);
  return quantile(
    0.5,
    values.map((value) => Math.abs(value - median)),
  );
}
