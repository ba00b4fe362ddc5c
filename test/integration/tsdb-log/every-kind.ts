/** Series for real Prometheus, with all that a log holds. */
import { seededRandom } from '../../../lib/env/index.ts';
import { type FloatHistogram, Labels } from '../../../lib/model/index.ts';
import { HistogramWalk } from '../../tools/histogram-walk.ts';
import type { WrittenSeries } from '../../tools/remote-write.ts';
import { type Dump, floatText, histogramText } from '../../tools/samples.ts';

export const START_MS = 1_700_000_000_000;
export const MINUTE_MS = 60_000;

/** Series of every kind that the version takes by remote write, `steps` samples each, a minute apart. */
export function everyKind(steps: number, seed: number, version: 2 | 3): WrittenSeries[] {
  const random = seededRandom(seed);
  const times = Array.from({ length: steps }, (_, i) => START_MS + i * MINUTE_MS + Math.floor(random() * 1000));
  const walk = (integer: boolean): [number, FloatHistogram][] => {
    const histograms = new HistogramWalk(random, { integer });
    return times.map((timeMs) => [timeMs, histograms.next()]);
  };
  // 2.42 falls over odd layouts.
  const plain = times.map((timeMs, i): [number, FloatHistogram] => [timeMs, plainHistogram(i)]);
  const kinds: Omit<WrittenSeries, 'labels'>[] = [
    {
      samples: times.map((timeMs) => [timeMs, random() < 0.5 ? Math.floor(random() * 100) : random() * 1e9]),
      exemplars: times.map((timestampMs, i) => {
        return { labels: Labels.of({ trace: `t${i}` }), value: i / 3, timestampMs };
      }),
      metadata: { type: 'counter', unit: 'seconds', help: 'of "all" things\n' },
    },
    { samples: times.map((timeMs, i) => [timeMs, [NaN, Infinity, -Infinity, 5e-324][i % 4]!]) },
    { histograms: plain, metadata: { type: 'histogram', unit: '', help: 'spread' } },
    ...(version === 3 ? [true, false, true, false, true, false].map((integer) => ({ histograms: walk(integer) })) : []),
  ];
  return kinds.flatMap((kind, i) =>
    [0, 1].map((j) => ({ ...kind, labels: Labels.of({ __name__: `m${i}`, j: String(j), odd: 'ü"\\\n' }) })),
  );
}

/** Parts of the samples, histograms and exemplars of every series. */
export function parts(series: readonly WrittenSeries[], steps: number, size: number): WrittenSeries[][] {
  return Array.from({ length: Math.ceil(steps / size) }, (_, part) => {
    const cut = <Item>(items: readonly Item[] | undefined): Item[] =>
      [...(items ?? [])].slice(part * size, (part + 1) * size);
    return series.map((one) => ({
      ...one,
      samples: cut(one.samples),
      histograms: cut(one.histograms),
      exemplars: cut(one.exemplars),
    }));
  });
}

export function dumpOf(series: readonly WrittenSeries[]): Dump {
  return Object.fromEntries(
    series.map(({ labels, samples = [], histograms = [] }) => [
      labels.toString(),
      [
        ...samples.map(([timeMs, value]): [number, string] => [timeMs, floatText(value)]),
        ...histograms.map(([timeMs, value]): [number, string] => [timeMs, histogramText(value)]),
      ],
    ]),
  );
}

/** The `i`th of a series that only grows. */
export function plainHistogram(i: number): FloatHistogram {
  return {
    integer: true,
    counterResetHint: 'unknown',
    schema: 2,
    zeroThreshold: 0.001,
    zeroCount: i,
    count: 3 + i * 8,
    sum: i * 1.5,
    positiveSpans: [
      { offset: -3, length: 2 },
      { offset: 4, length: 1 },
    ],
    negativeSpans: [],
    positiveBuckets: Float64Array.of(1 + i, 1 + i * 4, 1 + i * 2),
    negativeBuckets: new Float64Array(0),
    customValues: new Float64Array(0),
  };
}
