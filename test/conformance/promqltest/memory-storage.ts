import { createKernels } from '../../../lib/kernels/index.ts';
import {
  Annotations,
  compareUtf8,
  type FloatHistogram,
  isStaleNaN,
  type Labels,
  type Matcher,
  SampleColumns,
} from '../../../lib/model/index.ts';
import type { LabelAnswer, Querier, Queryable, Series, SeriesSet } from '../../../lib/storage/index.ts';
import { ChunkDecoder } from '../../../lib/chunk/decoder.ts';
import { encodeSamples } from '../../../lib/chunk/encode.ts';

interface StoredSeries {
  readonly labels: Labels;
  readonly samples: SampleColumns;
  /** The samples as chunks give them back, made when they are first read. */
  read: SampleColumns | undefined;
}

const kernels = createKernels();
const decoder = new ChunkDecoder(kernels);

/**
 * The smallest storage that can be queried: label sets with samples, in memory. Histograms go through chunks, from which
 * they come back with the counter reset hints that storage knows.
 */
export class MemoryStorage implements Queryable {
  readonly #series = new Map<string, StoredSeries>();

  /** @param startMs when the counter began to count, 0 when that is not known */
  add(labels: Labels, timestampMs: number, value: number, histogram?: FloatHistogram, startMs = 0): void {
    let series = this.#series.get(labels.key);
    if (series === undefined) {
      series = { labels, samples: new SampleColumns(), read: undefined };
      this.#series.set(labels.key, series);
    }
    const { samples } = series;
    series.read = undefined;
    const previous = samples.histograms?.[samples.length - 1];
    if (histogram !== undefined) samples.pushHistogram(timestampMs, histogram);
    else if (previous !== undefined && isStaleNaN(value)) samples.pushHistogram(timestampMs, { ...previous, sum: value });
    else samples.push(timestampMs, value);
    if (startMs !== 0) samples.setStart(startMs);
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
      const samples = (stored.read ??= throughChunks(stored.samples));
      for (let i = 0; i < samples.length; i++) {
        const timestampMs = samples.timestamps[i]!;
        if (timestampMs < minTimeMs || timestampMs > maxTimeMs) continue;
        const histogram = samples.histograms?.[i];
        if (histogram === undefined) into.push(timestampMs, samples.values[i]!);
        else into.pushHistogram(timestampMs, histogram);
        if (samples.starts !== undefined) into.setStart(samples.starts[i]!);
      }
    },
  };
}

function throughChunks(samples: SampleColumns): SampleColumns {
  if (samples.histograms === undefined) return samples;
  const read = new SampleColumns();
  for (const { encoding, bytes } of encodeSamples(kernels, samples, 0, samples.length)) {
    decoder.decode(encoding, bytes, -Infinity, Infinity, read);
  }
  read.starts = samples.starts;
  return read;
}
