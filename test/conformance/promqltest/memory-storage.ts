import { Annotations, compareUtf8, type FloatHistogram, type Labels, type Matcher } from '../../../lib/model/index.ts';
import type { LabelAnswer, Querier, Queryable, Series, SeriesSet } from '../../../lib/storage/index.ts';

interface StoredSeries {
  readonly labels: Labels;
  readonly samples: { timestampMs: number; value: number; histogram: FloatHistogram | undefined }[];
}

/** The smallest storage that can be queried: label sets with samples, in memory. */
export class MemoryStorage implements Queryable {
  readonly #series = new Map<string, StoredSeries>();

  add(labels: Labels, timestampMs: number, value: number, histogram?: FloatHistogram): void {
    let series = this.#series.get(labels.key);
    if (series === undefined) this.#series.set(labels.key, (series = { labels, samples: [] }));
    series.samples.push({ timestampMs, value, histogram });
  }

  querier(minTimeMs: number, maxTimeMs: number): Querier {
    const matching = (matchers: readonly Matcher[]): StoredSeries[] =>
      [...this.#series.values()]
        .filter(({ labels }) => matchers.every((matcher) => matcher.matches(labels.get(matcher.name))))
        .sort((a, b) => a.labels.compare(b.labels));
    const answer = (values: Iterable<string>): Promise<LabelAnswer> =>
      Promise.resolve({ values: [...new Set(values)].sort(compareUtf8), annotations: new Annotations() });
    return {
      select(_sorted, _hints, matchers): Promise<SeriesSet> {
        const series = matching(matchers).map((stored) => readable(stored, minTimeMs, maxTimeMs));
        return Promise.resolve({ batches: oneBatch(series), annotations: new Annotations() });
      },
      labelNames: (_hints, matchers) =>
        answer(matching(matchers).flatMap(({ labels }) => [...labels].map(([name]) => name))),
      labelValues: (name, _hints, matchers) =>
        answer(
          matching(matchers)
            .map(({ labels }) => labels.get(name))
            .filter((value) => value !== ''),
        ),
      close() {},
    };
  }
}

async function* oneBatch(series: readonly Series[]): AsyncGenerator<readonly Series[]> {
  await Promise.resolve();
  yield series;
}

function readable(stored: StoredSeries, minTimeMs: number, maxTimeMs: number): Series {
  return {
    labels: stored.labels,
    read(into) {
      for (const { timestampMs, value, histogram } of stored.samples) {
        if (timestampMs < minTimeMs || timestampMs > maxTimeMs) continue;
        if (histogram === undefined) into.push(timestampMs, value);
        else into.pushHistogram(timestampMs, histogram);
      }
    },
  };
}
