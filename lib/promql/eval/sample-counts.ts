import type { FloatHistogram, SampleColumns } from '../../model/index.ts';

/** What a query looked at, as Prometheus counts it (`QuerySamples` of util/stats): a histogram is worth several samples. */
export interface CountedSamples {
  /** At each step on its own: a sample counts in every window that holds it. */
  readonly total: number;
  /** A sample counts at the first step whose window holds it; below a subquery, once. */
  readonly read: number;
  /** Both by the steps of the query. */
  readonly totalPerStep: Float64Array;
  readonly readPerStep: Float64Array;
}

/** Where windows end and how far they reach, ms: a `RangeVector` without its series. */
export interface WindowBounds {
  readonly times: { readonly firstMs: number; readonly stepMs: number };
  readonly rangeMs: number;
  readonly extension?: { readonly beforeMs: number; readonly afterMs: number };
}

/** The steps of one evaluation: of the query, of a subquery in it, or the one step of what does not change. */
export class SampleCounts {
  readonly #startMs: number;
  readonly #stepMs: number;
  readonly #read: Float64Array;
  /** How much more is looked at than at the step before; one longer than there are steps. */
  readonly #changes: Float64Array;

  constructor({ startMs, stepMs, count }: { startMs: number; stepMs: number; count: number }) {
    this.#startMs = startMs;
    this.#stepMs = stepMs;
    this.#read = new Float64Array(count);
    this.#changes = new Float64Array(count + 1);
  }

  get counted(): CountedSamples {
    const totalPerStep = new Float64Array(this.#read.length);
    let total = 0;
    let current = 0;
    for (let step = 0; step < totalPerStep.length; step++) {
      current += this.#changes[step]!;
      totalPerStep[step] = current;
      total += current;
    }
    return { total, read: sumOf(this.#read), totalPerStep, readPerStep: this.#read };
  }

  /** So many samples at one step. */
  add(step: number, samples: number): void {
    this.#addTotal(step, step + 1, samples);
    this.#read[step]! += samples;
  }

  /** What an instant selector found: one sample, or a histogram, at each of the steps that are `present`. */
  addPresent(present: Uint8Array, histograms?: readonly (FloatHistogram | undefined)[]): void {
    for (let step = 0; step < present.length; step++) {
      if (present[step] === 1) this.add(step, weightOf(histograms?.[step]));
    }
  }

  /** The windows over one series. @param isRead whether its samples come from storage, and not from a subquery */
  addWindows(samples: SampleColumns, { times, rangeMs, extension }: WindowBounds, isRead: boolean): void {
    const { timestamps, histograms, length } = samples;
    const { firstMs, stepMs } = times;
    const steps = this.#read.length;
    const firstEndMs = firstMs + (extension?.afterMs ?? 0);
    const firstStartMs = firstMs - rangeMs - (extension?.beforeMs ?? 0);
    for (let i = 0; i < length; i++) {
      const timeMs = timestamps[i]!;
      // `@` makes all windows one, and it is read once.
      const isFixed = stepMs === 0;
      const first = isFixed
        ? timeMs <= firstEndMs
          ? 0
          : steps
        : Math.max(0, Math.ceil((timeMs - firstEndMs) / stepMs));
      const end = isFixed
        ? timeMs > firstStartMs
          ? steps
          : 0
        : Math.min(steps, Math.ceil((timeMs - firstStartMs) / stepMs));
      if (first >= end) continue;
      const weight = weightOf(histograms?.[i]);
      this.#addTotal(first, end, weight);
      if (isRead) this.#read[first]! += weight;
    }
  }

  /** What does not change was evaluated once, and counts at every step. */
  addInvariant({ total, read }: CountedSamples): void {
    this.#addTotal(0, this.#read.length, total);
    this.#read[0]! += read;
  }

  /** A subquery that is the whole query: its samples count at the last step. */
  addSubquery(subquery: SampleCounts): void {
    const last = this.#read.length - 1;
    this.#addTotal(last, last + 1, subquery.counted.total);
    this.addReadOf(subquery, 0, 0);
  }

  /**
   * What a subquery read counts at the first step that makes use of it (`MergeSamplesReadFromSubquery`); what it found is
   * counted by the windows over it.
   * @param offsetMs of the subquery, without `@`
   * @param rangeMs of the windows over it: what lies between two of them does not count; 0 where all does
   */
  addReadOf(subquery: SampleCounts, offsetMs: number, rangeMs: number): void {
    const steps = this.#read.length;
    if (steps === 1) {
      this.#read[0]! += sumOf(subquery.#read);
      return;
    }
    for (const [k, read] of subquery.#read.entries()) {
      if (read === 0) continue;
      const timeMs = subquery.#startMs + k * subquery.#stepMs + offsetMs;
      const step = Math.min(steps - 1, Math.max(0, Math.ceil((timeMs - this.#startMs) / this.#stepMs)));
      if (rangeMs > 0 && timeMs <= this.#startMs + step * this.#stepMs - rangeMs) continue;
      this.#read[step]! += read;
    }
  }

  /** As it is now, for `restore`. */
  mark(): readonly [Float64Array, Float64Array] {
    return [this.#read.slice(), this.#changes.slice()];
  }

  /** Forgets what was added since the mark. */
  restore([read, changes]: readonly [Float64Array, Float64Array]): void {
    this.#read.set(read);
    this.#changes.set(changes);
  }

  /** At the steps [first, end). */
  #addTotal(first: number, end: number, samples: number): void {
    this.#changes[first]! += samples;
    this.#changes[end]! -= samples;
  }
}

/** Samples of a range vector from index `from` on. */
export function weightFrom({ histograms, length }: SampleColumns, from: number): number {
  let weight = 0;
  for (let i = from; i < length; i++) weight += weightOf(histograms?.[i]);
  return weight;
}

/** What histograms, sparse in a list, count for beside the samples that they are. */
export function extraWeight(histograms: readonly (FloatHistogram | undefined)[]): number {
  let extra = 0;
  for (const histogram of histograms) extra += weightOf(histogram) - 1;
  return extra;
}

/** A histogram counts as many samples as its size in Prometheus's memory is larger (`HPoint.size`). */
function weightOf(histogram: FloatHistogram | undefined): number {
  if (histogram === undefined) return 1;
  const { positiveSpans, negativeSpans, positiveBuckets, negativeBuckets, customValues } = histogram;
  const elements =
    positiveSpans.length + negativeSpans.length + positiveBuckets.length + negativeBuckets.length + customValues.length;
  return Math.floor((168 + 8 * elements + 8) / 16);
}

function sumOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
