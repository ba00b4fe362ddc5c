import type { Random } from '../../../../lib/env/index.ts';
import { type FloatHistogram, type HistogramSpan, Labels, STALE_NAN } from '../../../../lib/model/index.ts';
import type { WalCommit } from '../../../../lib/tsdb/wal/commit.ts';
import { histogramsOf, samplesOf, seriesOf } from './log.ts';

const TEXTS = ['', 'a', 'b c', 'naïve', '\u{1f600}', '"\\\n', '__proto__', 'x'.repeat(300)];
const VALUES = [0, -0, 1, 1.5, -1e300, Infinity, -Infinity, NaN, STALE_NAN, 5e-324];
const TYPES = ['unknown', 'counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset'];
const HINTS = ['unknown', 'reset', 'not_reset', 'gauge'] as const;

/** Seeded commits with everything a log can hold; `times` are in any order and of any size. */
export class RandomCommits {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  ref(): number {
    return this.#random() < 0.2 ? 2 ** 32 - 1 - this.below(3) : 1 + this.below(1000);
  }

  time(): number {
    const size = [1, 1e3, 1e12, Number.MAX_SAFE_INTEGER / 2][this.below(4)]!;
    return Math.floor((this.#random() - 0.5) * 2 * size);
  }

  value(): number {
    return this.#random() < 0.5 ? this.#of(VALUES) : (this.#random() - 0.5) * 10 ** this.below(20);
  }

  labels(): Labels {
    const pairs = Array.from({ length: 1 + this.below(4) }, (_, i) => {
      return [`l${i}${this.#of(TEXTS)}`, `v${this.#of(TEXTS)}`] as const;
    });
    return Labels.of(pairs);
  }

  histogram(): FloatHistogram {
    const integer = this.#random() < 0.5;
    const custom = this.#random() < 0.3;
    const positiveSpans = this.#spans();
    const negativeSpans = custom ? [] : this.#spans();
    const count = (): number =>
      integer ? Math.floor(2 ** (this.#random() * 52.9)) * this.below(2) : Math.abs(this.value());
    const buckets = (spans: readonly HistogramSpan[]): Float64Array =>
      Float64Array.from({ length: spans.reduce((sum, { length }) => sum + length, 0) }, count);
    return {
      ...(integer && { integer: true }),
      counterResetHint: this.#of(HINTS),
      schema: custom ? -53 : this.below(13) - 4,
      zeroThreshold: custom ? 0 : this.#random() / 1000,
      zeroCount: custom ? 0 : count(),
      count: count(),
      sum: this.value(),
      positiveSpans,
      negativeSpans,
      positiveBuckets: buckets(positiveSpans),
      negativeBuckets: buckets(negativeSpans),
      customValues: custom ? Float64Array.from({ length: this.below(5) }, (_, i) => i * 1.5 - 1) : new Float64Array(0),
    };
  }

  commit(): WalCommit {
    const rows = <Row>(make: () => Row): Row[] => Array.from({ length: this.below(6) }, make);
    return {
      series: seriesOf(rows(() => [this.ref(), this.labels()] as const)),
      metadata: rows(() => ({
        ref: this.ref(),
        metadata: { type: this.#of(TYPES), unit: this.#of(TEXTS), help: this.#of(TEXTS) },
      })),
      mmapMarkers: rows(() => ({ ref: this.ref(), file: this.below(2 ** 32), offsetBytes: this.below(2 ** 32) })),
      samples: samplesOf(rows(() => [this.ref(), this.time(), this.value()] as const)),
      histograms: histogramsOf(rows(() => [this.ref(), this.time(), this.histogram()] as const)),
      exemplars: rows(() => ({
        ref: this.ref(),
        exemplar: { labels: this.labels(), value: this.value(), timestampMs: this.time() },
      })),
      tombstones: rows(() => ({
        ref: this.ref(),
        interval: { minTimeMs: this.time(), maxTimeMs: this.time() },
      })),
    };
  }

  #of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  #spans(): HistogramSpan[] {
    return Array.from({ length: this.below(4) }, () => ({
      offset: this.below(20) - 10,
      length: this.below(4),
    }));
  }
}
