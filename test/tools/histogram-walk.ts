/** Seeded histograms as targets send them, with all that makes a chunk end, grow or be written differently. */
import type { Random } from '../../lib/env/index.ts';
import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type HistogramSpan, STALE_NAN } from '../../lib/model/index.ts';

const ZERO_THRESHOLDS = [0, 2 ** -128, 0.001, 1, 1024, 2048, 2 ** -243, 2 ** -244, 5e-324, 2.5];
const NO_BUCKETS = new Float64Array(0);

export interface HistogramKind {
  readonly integer: boolean;
  readonly gauge?: boolean;
  /** Custom buckets now and then; on by default. */
  readonly custom?: boolean;
  /** Stale markers, resets, other schemas and buckets that go; on by default. */
  readonly breaks?: boolean;
  /** Adjacent and empty spans; on by default. */
  readonly oddSpans?: boolean;
}

/** One series of histograms. */
export class HistogramWalk {
  readonly #random: Random;
  readonly #kind: Required<HistogramKind>;
  #schema = 0;
  #zeroThreshold = 0;
  #zeroCount = 0;
  #sum = 0;
  #bounds: number[] = [];
  #positive = new Map<number, number>();
  #negative = new Map<number, number>();

  constructor(random: Random, kind: HistogramKind) {
    this.#random = random;
    this.#kind = { gauge: false, custom: true, breaks: true, oddSpans: true, ...kind };
    this.#restart();
  }

  next(): FloatHistogram {
    const { breaks } = this.#kind;
    if (breaks && this.#oneIn(40)) this.#restart();
    if (breaks && this.#oneIn(40)) this.#change(this.#positive, (count) => Math.floor(count / 2));
    if (breaks && this.#oneIn(30)) this.#positive.delete(this.#key(this.#positive));
    for (let i = this.#below(6); i > 0; i--) {
      this.#change(this.#positive, (count) => count + this.#amount());
      this.#change(this.#negative, (count) => count + this.#amount());
    }
    if (this.#oneIn(6)) this.#grow();
    if (this.#bounds.length === 0 && this.#oneIn(3)) this.#zeroCount += this.#amount();
    if (this.#kind.gauge) this.#change(this.#positive, (count) => Math.max(0, count - this.#amount()));
    if (this.#oneIn(2)) this.#sum += this.#oneIn(2) ? this.#below(100) : this.#random() * 100 - 50;
    if (this.#oneIn(50)) this.#sum = [Infinity, NaN, 0, -0][this.#below(4)]!;
    const flags = this.#kind.integer ? { integer: true as const } : {};
    if (breaks && this.#oneIn(40)) return { ...flags, ...STALE };
    // Targets leave out empty buckets, or they do not.
    const keepEmpty = !this.#oneIn(3);
    const [positiveSpans, positiveBuckets] = this.#layout(this.#positive, keepEmpty);
    const [negativeSpans, negativeBuckets] = this.#layout(this.#negative, keepEmpty);
    return {
      ...flags,
      counterResetHint: this.#hint(),
      schema: this.#schema,
      zeroThreshold: this.#zeroThreshold,
      zeroCount: this.#zeroCount,
      count: [...positiveBuckets, ...negativeBuckets].reduce((sum, count) => sum + count, this.#zeroCount),
      sum: this.#sum,
      positiveSpans,
      negativeSpans,
      positiveBuckets,
      negativeBuckets,
      customValues: Float64Array.from(this.#bounds),
    };
  }

  #restart(): void {
    this.#positive.clear();
    this.#negative.clear();
    this.#zeroCount = 0;
    this.#sum = 0;
    this.#bounds = [];
    if (this.#kind.custom && this.#oneIn(4)) {
      this.#schema = CUSTOM_BUCKETS_SCHEMA;
      this.#zeroThreshold = 0;
      let bound = this.#oneIn(2) ? -0.5 : 0;
      for (let i = this.#below(12); i >= 0; i--) {
        bound += [(1 + this.#below(1000)) / 1000, this.#random() * 10 + 1e-6, 1 + this.#below(40_000)][this.#below(3)]!;
        this.#bounds.push(this.#oneIn(2) ? bound : (bound = Math.ceil(bound * 1000) / 1000));
      }
      this.#bounds = [...new Set(this.#bounds)];
    } else {
      this.#schema = this.#below(13) - 4;
      this.#zeroThreshold = ZERO_THRESHOLDS[this.#below(ZERO_THRESHOLDS.length)]!;
    }
    for (let i = this.#below(10); i > 0; i--) this.#grow();
  }

  #grow(): void {
    const custom = this.#bounds.length > 0;
    const side = !custom && this.#oneIn(3) ? this.#negative : this.#positive;
    const key = custom ? this.#below(this.#bounds.length + 1) : this.#below(30) - 10 + this.#below(2) * this.#below(60);
    side.set(key, (side.get(key) ?? 0) + this.#amount());
  }

  #amount(): number {
    const amount = [0, this.#below(10), this.#below(10), this.#below(1e5), Math.floor(2 ** (this.#random() * 36))];
    // Sixteenths add up exactly, in whatever order a server adds them.
    return amount[this.#below(5)]! + (this.#kind.integer || this.#oneIn(2) ? 0 : this.#below(16) / 16);
  }

  #hint(): FloatHistogram['counterResetHint'] {
    if (this.#kind.gauge) return 'gauge';
    if (this.#kind.breaks && this.#oneIn(40)) return 'reset';
    return this.#oneIn(5) ? 'not_reset' : 'unknown';
  }

  /** Spans and counts; now and then adjacent spans, or an empty one between two. */
  #layout(side: ReadonlyMap<number, number>, keepEmpty: boolean): [HistogramSpan[], Float64Array] {
    const spans: { offset: number; length: number }[] = [];
    const counts: number[] = [];
    const odd = this.#oneIn(12) && this.#kind.oddSpans;
    let end = 0;
    for (const [key, count] of [...side].sort(([a], [b]) => a - b)) {
      if (count === 0 && !keepEmpty) continue;
      const open = spans.at(-1);
      if (open !== undefined && key === end && !(odd && this.#oneIn(3))) open.length++;
      else if (open !== undefined && odd && key - end > 1 && this.#oneIn(3)) {
        spans.push({ offset: 1, length: 0 }, { offset: key - end - 1, length: 1 });
      } else spans.push({ offset: key - end, length: 1 });
      counts.push(count);
      end = key + 1;
    }
    return [spans, Float64Array.from(counts)];
  }

  #key(side: ReadonlyMap<number, number>): number {
    return [...side.keys()][this.#below(side.size)] ?? NaN;
  }

  #change(side: Map<number, number>, to: (count: number) => number): void {
    const key = this.#key(side);
    if (!Number.isNaN(key)) side.set(key, to(side.get(key)!));
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #oneIn(n: number): boolean {
    return this.#below(n) === 0;
  }
}

const STALE: FloatHistogram = {
  counterResetHint: 'unknown',
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 0,
  sum: STALE_NAN,
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: NO_BUCKETS,
  negativeBuckets: NO_BUCKETS,
  customValues: NO_BUCKETS,
};
