import type { SeriesExemplars } from '../storage/index.ts';
import type { JsonWriter } from './json-writer.ts';
import { arrayData } from './json.ts';
import type { Piece } from './respond.ts';

/** `data` of `query_exemplars`. */
export function exemplarsData(series: readonly SeriesExemplars[]): Generator<Piece> {
  return arrayData(series, writeSeries);
}

function writeSeries(out: JsonWriter, { labels, exemplars }: SeriesExemplars): void {
  out.raw('{"seriesLabels":');
  out.labels(labels);
  out.raw(',"exemplars":[');
  for (const [i, exemplar] of exemplars.entries()) {
    out.raw(i === 0 ? '{"labels":' : ',{"labels":');
    out.labels(exemplar.labels);
    out.raw(',"value":');
    out.float(exemplar.value);
    out.raw(',"timestamp":');
    out.time(exemplar.timestampMs);
    out.raw('}');
  }
  out.raw(']}');
}
