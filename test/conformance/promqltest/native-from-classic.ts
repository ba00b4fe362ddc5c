import { type FloatHistogram, type Labels, LabelsBuilder, METRIC_NAME } from '../../../lib/model/index.ts';
import type { SequenceValue, SeriesDescription } from './series-description.ts';

/** What the series of a classic histogram say at one time. */
interface ClassicHistogram {
  /** Cumulative counts by upper bound. */
  readonly buckets: Map<number, number>;
  count: number | undefined;
  sum: number;
}

/**
 * The native histograms with custom buckets (NHCB) that `load_with_nhcb` adds for the classic ones among the series.
 * @returns one series a histogram, without its `le` and the suffix of its name
 */
export function nativeFromClassic(descriptions: readonly SeriesDescription[]): SeriesDescription[] {
  const byMetric = new Map<string, { labels: Labels; histograms: (ClassicHistogram | undefined)[] }>();
  for (const { labels, values } of descriptions) {
    const [, name, suffix] = /^(.*)_(bucket|count|sum)$/.exec(labels.get(METRIC_NAME)) ?? [];
    if (name === undefined) continue;
    const bound = suffix === 'bucket' ? upperBound(labels.get('le')) : 0;
    if (Number.isNaN(bound)) continue;
    const base = new LabelsBuilder(labels).set(METRIC_NAME, name).delete('le').labels();
    let metric = byMetric.get(base.key);
    if (metric === undefined) byMetric.set(base.key, (metric = { labels: base, histograms: [] }));
    for (const [i, value] of values.entries()) {
      if (typeof value !== 'number') continue;
      const histogram = (metric.histograms[i] ??= { buckets: new Map(), count: undefined, sum: 0 });
      if (suffix === 'bucket') histogram.buckets.set(bound, value);
      else if (suffix === 'count') histogram.count = value;
      else histogram.sum = value;
    }
  }
  return [...byMetric.values()].map(({ labels, histograms }) => {
    const values = Array.from(histograms, (classic): SequenceValue => classic && { ...converted(classic), isHintGiven: false });
    return { labels, values };
  });
}

function upperBound(text: string): number {
  if (/^\+?inf$/i.test(text)) return Infinity;
  return text === '' ? NaN : Number(text);
}

function converted({ buckets, count, sum }: ClassicHistogram): FloatHistogram {
  const bounds = [...buckets.keys()].sort((a, b) => a - b);
  const total = count ?? buckets.get(bounds.at(-1)!)!;
  if (bounds.at(-1) !== Infinity) {
    bounds.push(Infinity);
    buckets.set(Infinity, total);
  }
  if (buckets.get(Infinity) !== total) throw new Error(`count mismatch: ${total} and ${buckets.get(Infinity)}`);
  const cumulative = bounds.map((bound) => buckets.get(bound)!);
  const positiveBuckets = Float64Array.from(cumulative, (value, i) => value - (cumulative[i - 1] ?? 0));
  const negative = positiveBuckets.findIndex((value) => value < 0);
  if (negative >= 0) throw new Error(`count is not cumulative at le=${bounds[negative]}`);
  return {
    counterResetHint: 'unknown',
    schema: -53,
    zeroThreshold: 0,
    zeroCount: 0,
    count: total,
    sum,
    positiveSpans: [{ offset: 0, length: positiveBuckets.length }],
    negativeSpans: [],
    positiveBuckets,
    negativeBuckets: new Float64Array(0),
    customValues: Float64Array.from(bounds.slice(0, -1)),
  };
}
