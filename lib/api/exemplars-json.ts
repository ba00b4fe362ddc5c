import type { SeriesExemplars } from '../storage/index.ts';
import { sampleFloat, timestampJson } from './json-numbers.ts';
import { arrayOf, labelsJson } from './json.ts';

/** `data` of `query_exemplars`. */
export function exemplarsData(series: readonly SeriesExemplars[]): Generator<string> {
  return arrayOf(series, ({ labels, exemplars }) => {
    const list = exemplars.map(
      (exemplar) =>
        `{"labels":${labelsJson(exemplar.labels)},"value":"${sampleFloat(exemplar.value)}","timestamp":${timestampJson(exemplar.timestampMs)}}`,
    );
    return [`{"seriesLabels":${labelsJson(labels)},"exemplars":[${list.join(',')}]}`];
  });
}
