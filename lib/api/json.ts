/** Query answers as JSON, built piece by piece so that no answer is ever held twice. Follows Prometheus `util/jsonutil`. */
import { formatFloat, type Labels } from '../model/index.ts';
import type { MatrixSeries, QueryValue, VectorSample } from '../promql/index.ts';
import { histogramJson } from './histogram-json.ts';
import { sampleFloat, timestampJson } from './json-numbers.ts';
import { stringJson } from './json-strings.ts';

/** Pieces are handed on when they reach about this many characters. */
const PIECE_LENGTH = 128 * 1024;

/** The `data` of an answer to a query. @param stats the JSON text of its statistics */
export function* queryData(value: QueryValue, stats?: string): Generator<string> {
  yield `{"resultType":"${value.type}","result":`;
  switch (value.type) {
    case 'scalar':
      // Prometheus writes scalars without an exponent, unlike samples.
      yield `[${timestampJson(value.timestampMs)},"${formatFloat(value.value)}"]`;
      break;
    case 'string':
      yield `[${timestampJson(value.timestampMs)},${stringJson(value.value)}]`;
      break;
    case 'vector':
      yield* arrayOf(value.samples, (sample) => [sampleJson(sample)]);
      break;
    case 'matrix':
      yield* arrayOf(value.series, seriesWriter());
      break;
  }
  yield stats === undefined ? '}' : `,"stats":${stats}}`;
}

/** Label sets, as `series` answers. */
export function labelSetsData(sets: readonly Labels[]): Generator<string> {
  return arrayOf(sets, (labels) => [labelsJson(labels)]);
}

/** Strings, as the label endpoints answer. */
export function stringsData(strings: readonly string[]): Generator<string> {
  return arrayOf(strings, (text) => [stringJson(text)]);
}

/** A JSON array, in pieces of about 128 KiB. */
export function* arrayOf<Item>(items: readonly Item[], write: (item: Item) => Iterable<string>): Generator<string> {
  let out = '[';
  for (let i = 0; i < items.length; i++) {
    if (i > 0) out += ',';
    for (const piece of write(items[i]!)) {
      out += piece;
      if (out.length < PIECE_LENGTH) continue;
      yield out;
      out = '';
    }
  }
  yield `${out}]`;
}

function sampleJson({ labels, timestampMs, value, histogram }: VectorSample): string {
  const point =
    histogram === undefined
      ? `"value":[${timestampJson(timestampMs)},"${sampleFloat(value)}"]`
      : `"histogram":[${timestampJson(timestampMs)},${histogramJson(histogram)}]`;
  return `{"metric":${labelsJson(labels)},${point}}`;
}

/**
 * The series of a matrix mostly share their times: what stands before a value, from the end of the value before on, is made
 * once. That is half of the work.
 */
function seriesWriter(): (series: MatrixSeries) => Generator<string> {
  const times: number[] = [];
  const texts: string[] = [];
  const textBefore = (i: number, timeMs: number): string => {
    if (times[i] === timeMs) return texts[i]!;
    times[i] = timeMs;
    return (texts[i] = `"],[${timestampJson(timeMs)},"`);
  };
  return (series) => seriesJson(series, textBefore);
}

function* seriesJson(
  { labels, timestamps, values, histograms }: MatrixSeries,
  textBefore: (i: number, timeMs: number) => string,
): Generator<string> {
  let out = `{"metric":${labelsJson(labels)}`;
  let isFirst = true;
  for (let i = 0; i < timestamps.length; i++) {
    if (histograms?.[i] !== undefined) continue;
    const before = textBefore(i, timestamps[i]!);
    out += isFirst ? `,"values":[${before.slice('"],'.length)}` : before;
    out += sampleFloat(values[i]!);
    isFirst = false;
    if (out.length < PIECE_LENGTH) continue;
    yield out;
    out = '';
  }
  if (!isFirst) out += '"]]';
  if (histograms !== undefined) {
    let separator = ',"histograms":[';
    for (let i = 0; i < timestamps.length; i++) {
      const histogram = histograms[i];
      if (histogram === undefined) continue;
      out += `${separator}[${timestampJson(timestamps[i]!)},${histogramJson(histogram)}]`;
      separator = ',';
    }
    if (separator === ',') out += ']';
  }
  yield `${out}}`;
}

export function labelsJson(labels: Labels): string {
  const { pairs } = labels;
  let out = '{';
  for (let i = 0; i < pairs.length; i += 2) {
    if (i > 0) out += ',';
    out += `${stringJson(pairs[i]!)}:${stringJson(pairs[i + 1]!)}`;
  }
  return `${out}}`;
}
