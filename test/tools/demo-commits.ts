/** Samples of every kind, as commits that one server after the other can be given. */
import { type FloatHistogram, type HistogramSpan, Labels, STALE_NAN } from '../../lib/model/index.ts';
import { type Random } from '../../lib/env/index.ts';
import { type Appendable, AppendResult } from '../../lib/storage/index.ts';
import type { WrittenSeries } from './remote-write.ts';
import { type Dump, floatText, histogramText } from './samples.ts';

/** Not -0: remote write cannot carry it. */
const ODD_VALUES = [0, 1.5, 1e308, 5e-324, Infinity, -Infinity, NaN, STALE_NAN, 123456789, 1e-7, 2 ** 53, -42];

export interface DemoOptions {
  readonly random: Random;
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;
  /** How many of each kind there are; default 4. */
  readonly seriesOfKind?: number;
  readonly kinds?: readonly DemoKind[];
}

export type DemoKind = 'counter' | 'gauge' | 'odd' | 'integer' | 'float' | 'custom' | 'churn';
export const DEMO_KINDS: readonly DemoKind[] = ['counter', 'gauge', 'odd', 'integer', 'float', 'custom', 'churn'];

/** One commit for each step; the samples of a series rise in time. */
export function demoCommits(options: DemoOptions): WrittenSeries[][] {
  const { random, startMs, stepMs, steps, seriesOfKind = 4, kinds = DEMO_KINDS } = options;
  const histograms = new Map<string, HistogramProcess>();
  const counters = new Map<string, number>();
  return Array.from({ length: steps }, (_, step) => {
    const commit: WrittenSeries[] = [];
    for (const kind of kinds) {
      for (let i = 0; i < seriesOfKind; i++) {
        // Scrapes miss sometimes, and come a little early or late.
        if (random() < 0.03) continue;
        const timeMs = startMs + step * stepMs + Math.floor(random() * 5);
        const name = `demo_${kind}`;
        const generation = kind === 'churn' ? Math.floor(step / 40) : 0;
        const labels = Labels.of({
          __name__: name,
          i: String(i),
          job: 'dé"mo\\',
          ...(kind === 'churn' ? { generation: String(generation) } : {}),
        });
        const key = labels.toString();
        if (kind === 'integer' || kind === 'float' || kind === 'custom') {
          if (!histograms.has(key)) histograms.set(key, new HistogramProcess(random, kind, i % 4 === 3));
          commit.push({ labels, histograms: [[timeMs, histograms.get(key)!.next()]] });
          continue;
        }
        let value: number;
        if (kind === 'counter') {
          value = random() < 0.01 ? 0 : (counters.get(key) ?? 0) + Math.floor(random() * 100);
          counters.set(key, value);
        } else if (kind === 'odd') {
          value = ODD_VALUES[Math.floor(random() * ODD_VALUES.length)]!;
        } else {
          value = i % 2 === 0 ? i * 10 + Math.round(random() * 100) / 100 : random() * 1e6;
        }
        commit.push({ labels, samples: [[timeMs, value]] });
      }
    }
    return commit;
  });
}

/** A histogram that is observed into: new buckets, resets, a change of schema, a stale marker now and then. */
export class HistogramProcess {
  readonly #random: Random;
  readonly #kind: 'integer' | 'float' | 'custom';
  readonly #gauge: boolean;
  #schema: number;
  #counts = new Map<number, number>();
  #zero = 0;
  #sum = 0;

  constructor(random: Random, kind: 'integer' | 'float' | 'custom', gauge: boolean) {
    this.#random = random;
    this.#kind = kind;
    this.#gauge = gauge;
    this.#schema = kind === 'custom' ? -53 : 2;
  }

  next(): FloatHistogram {
    const random = this.#random;
    const luck = random();
    if (luck < 0.01) return { ...this.#histogram(), sum: STALE_NAN, count: 0, zeroCount: 0, ...noBuckets() };
    if (luck < 0.03) this.#reset();
    if (luck > 0.98 && this.#kind !== 'custom') {
      this.#reset();
      this.#schema = this.#schema === 2 ? 1 : 2;
    }
    for (let n = Math.floor(random() * 6); n > 0; n--) {
      const amount = this.#kind === 'float' ? 0.5 + Math.floor(random() * 4) / 4 : 1;
      if (this.#kind !== 'custom' && random() < 0.2) {
        this.#zero += amount;
        continue;
      }
      const negative = this.#kind !== 'custom' && random() < 0.2;
      const index = this.#kind === 'custom' ? Math.floor(random() * 5) : Math.floor((random() + random()) * 12) - 8;
      // Negative buckets are kept behind positive ones.
      const key = negative ? index + 1000 : index;
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + amount);
      this.#sum += (negative ? -1 : 1) * (index + 0.5);
    }
    if (this.#gauge && random() < 0.3)
      for (const [key, count] of this.#counts) this.#counts.set(key, Math.floor(count / 2));
    return this.#histogram();
  }

  #reset(): void {
    this.#counts.clear();
    this.#zero = 0;
    this.#sum = 0;
  }

  #histogram(): FloatHistogram {
    const side = (negative: boolean): { spans: HistogramSpan[]; counts: Float64Array } => {
      const indexes = [...this.#counts.keys()].filter((key) => key >= 500 === negative).sort((a, b) => a - b);
      const spans: { offset: number; length: number }[] = [];
      let end = 0;
      for (const key of indexes) {
        const index = negative ? key - 1000 : key;
        if (spans.length > 0 && index === end) spans.at(-1)!.length++;
        else spans.push({ offset: index - end, length: 1 });
        end = index + 1;
      }
      return { spans, counts: Float64Array.from(indexes, (key) => this.#counts.get(key)!) };
    };
    const positive = side(false);
    const negative = side(true);
    const total = [...this.#counts.values()].reduce((sum, count) => sum + count, this.#zero);
    return {
      ...(this.#kind === 'float' ? {} : { integer: true }),
      counterResetHint: this.#gauge ? 'gauge' : 'unknown',
      schema: this.#schema,
      zeroThreshold: this.#kind === 'custom' ? 0 : 0.001,
      zeroCount: this.#zero,
      count: total,
      sum: this.#sum,
      positiveSpans: positive.spans,
      negativeSpans: negative.spans,
      positiveBuckets: positive.counts,
      negativeBuckets: negative.counts,
      customValues: this.#kind === 'custom' ? Float64Array.of(0.5, 1, 2.5, 10) : new Float64Array(0),
    };
  }
}

function noBuckets(): Pick<FloatHistogram, 'positiveSpans' | 'negativeSpans' | 'positiveBuckets' | 'negativeBuckets'> {
  const none = new Float64Array(0);
  return { positiveSpans: [], negativeSpans: [], positiveBuckets: none, negativeBuckets: none };
}

/** Gives a database one commit. @returns how many samples it did not take */
export async function appendCommit(database: Appendable, commit: readonly WrittenSeries[]): Promise<number> {
  const appender = database.appender();
  let refused = 0;
  const count = (result: AppendResult): void => void (refused += result === AppendResult.ok ? 0 : 1);
  for (const { labels, samples = [], histograms = [], exemplars = [], metadata } of commit) {
    const ref = appender.series(labels);
    for (const [timeMs, value] of samples) count(appender.append(ref, timeMs, value));
    for (const [timeMs, histogram] of histograms) count(appender.appendHistogram(ref, timeMs, histogram));
    for (const exemplar of exemplars) appender.appendExemplar(ref, exemplar);
    if (metadata !== undefined) appender.updateMetadata(ref, metadata);
  }
  await appender.commit();
  return refused;
}

/** What a database that was given these commits answers. */
export function dumpOfCommits(commits: readonly (readonly WrittenSeries[])[]): Dump {
  const out: Dump = {};
  for (const { labels, samples = [], histograms = [] } of commits.flat()) {
    const list = (out[labels.toString()] ??= []);
    for (const [timeMs, value] of samples) list.push([timeMs, floatText(value)]);
    for (const [timeMs, value] of histograms) list.push([timeMs, histogramText(value)]);
  }
  for (const list of Object.values(out)) list.sort(([a], [b]) => a - b);
  return out;
}
