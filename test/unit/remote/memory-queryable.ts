import {
  Annotations,
  compareUtf8,
  type FloatHistogram,
  type Labels,
  type Matcher,
  type SampleColumns,
} from '../../../lib/model/index.ts';
import type { Querier, Queryable, Series } from '../../../lib/storage/index.ts';

export interface MemorySeries {
  readonly labels: Labels;
  /** Rising timestamps. */
  readonly samples: readonly (readonly [timestampMs: number, value: number])[];
  /** Behind the samples in time. */
  readonly histograms?: readonly (readonly [timestampMs: number, histogram: FloatHistogram])[];
}

/** A queryable over a list of series; what it warns of is given. */
export function memoryQueryable(source: readonly MemorySeries[], warnings: readonly string[] = []): Queryable {
  return { querier: (minTimeMs, maxTimeMs) => memoryQuerier(source, warnings, minTimeMs, maxTimeMs) };
}

function memoryQuerier(
  source: readonly MemorySeries[],
  warnings: readonly string[],
  minTimeMs: number,
  maxTimeMs: number,
): Querier {
  const annotations = new Annotations();
  for (const warning of warnings) annotations.warn(warning);
  const inRange = ([timestampMs]: readonly [number, unknown]): boolean =>
    timestampMs >= minTimeMs && timestampMs <= maxTimeMs;
  const matching = (matchers: readonly Matcher[]): MemorySeries[] =>
    source.filter(({ labels }) => matchers.every((matcher) => matcher.matches(labels.get(matcher.name))));
  const answer = (values: Iterable<string>) => ({ values: [...new Set(values)].sort(compareUtf8), annotations });
  return {
    async select(sorted, _hints, matchers) {
      const series: Series[] = matching(matchers)
        .filter(({ samples, histograms = [] }) => samples.some(inRange) || histograms.some(inRange))
        .map(({ labels, samples, histograms = [] }) => ({
          labels,
          read(into: SampleColumns) {
            for (const sample of samples) if (inRange(sample)) into.push(sample[0], sample[1]);
            for (const sample of histograms) if (inRange(sample)) into.pushHistogram(sample[0], sample[1]);
          },
        }));
      if (sorted) series.sort((a, b) => a.labels.compare(b.labels));
      return {
        batches: (async function* () {
          for (let i = 0; i < series.length; i += 3) yield series.slice(i, i + 3);
        })(),
        annotations,
      };
    },
    async labelNames(_hints, matchers) {
      return answer(matching(matchers).flatMap(({ labels }) => [...labels].map(([name]) => name)));
    },
    async labelValues(name, _hints, matchers) {
      return answer(matching(matchers).flatMap(({ labels }) => (labels.has(name) ? [labels.get(name)] : [])));
    },
    close() {},
  };
}
