/** Query answers as JSON, built piece by piece so that no answer is ever held twice. Follows Prometheus `util/jsonutil`. */
import { formatFloat, type Labels } from '../model/index.ts';
import type { MatrixSeries, QueryValue, VectorSample } from '../promql/index.ts';
import { histogramJson } from './histogram-json.ts';

/** Pieces are handed on when they reach about this many characters. */
const PIECE_LENGTH = 64 * 1024;

/** The `data` of an answer to a query. */
export function* queryData(value: QueryValue): Generator<string> {
  yield `{"resultType":"${value.type}","result":`;
  switch (value.type) {
    case 'scalar':
      // Prometheus writes scalars without an exponent, unlike samples.
      yield `[${timestampJson(value.timestampMs)},"${formatFloat(value.value)}"]`;
      break;
    case 'string':
      yield `[${timestampJson(value.timestampMs)},${JSON.stringify(value.value)}]`;
      break;
    case 'vector':
      yield* arrayOf(value.samples, (sample) => [sampleJson(sample)]);
      break;
    case 'matrix':
      yield* arrayOf(value.series, seriesJson);
      break;
  }
  yield '}';
}

/** Label sets, as `series` answers. */
export function labelSetsData(sets: readonly Labels[]): Generator<string> {
  return arrayOf(sets, (labels) => [labelsJson(labels)]);
}

/** Strings, as the label endpoints answer. */
export function stringsData(strings: readonly string[]): Generator<string> {
  return arrayOf(strings, (text) => [JSON.stringify(text)]);
}

function* arrayOf<Item>(items: readonly Item[], write: (item: Item) => Iterable<string>): Generator<string> {
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

function* seriesJson({ labels, timestamps, values, histograms }: MatrixSeries): Generator<string> {
  let out = `{"metric":${labelsJson(labels)}`;
  let separator = ',"values":[';
  for (let i = 0; i < timestamps.length; i++) {
    if (histograms?.[i] !== undefined) continue;
    out += `${separator}[${timestampJson(timestamps[i]!)},"${sampleFloat(values[i]!)}"]`;
    separator = ',';
    if (out.length < PIECE_LENGTH) continue;
    yield out;
    out = '';
  }
  if (separator === ',') out += ']';
  if (histograms !== undefined) {
    separator = ',"histograms":[';
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

function labelsJson(labels: Labels): string {
  const { pairs } = labels;
  let out = '{';
  for (let i = 0; i < pairs.length; i += 2) {
    if (i > 0) out += ',';
    out += `${JSON.stringify(pairs[i])}:${JSON.stringify(pairs[i + 1])}`;
  }
  return `${out}}`;
}

/** Milliseconds as seconds, with decimals only where needed: `1435781451.781`. */
export function timestampJson(timestampMs: number): string {
  const fraction = Math.abs(timestampMs % 1000);
  if (fraction === 0) return String(timestampMs / 1000);
  const sign = timestampMs < 0 ? '-' : '';
  const seconds = Math.trunc(Math.abs(timestampMs) / 1000);
  const digits = String(fraction).padStart(3, '0');
  return `${sign}${seconds}.${digits}`;
}

/**
 * A float as `jsonutil.MarshalFloat` writes it: shortest digits; an exponent below 1e-6 and from 1e21, which is where
 * JavaScript starts too, of at least two digits.
 */
export function sampleFloat(value: number): string {
  if (Number.isFinite(value)) {
    if (value === 0) return Object.is(value, -0) ? '-0' : '0';
    const text = String(value);
    const exponent = text.indexOf('e');
    return exponent < 0 || text.length - exponent > 3 ? text : `${text.slice(0, -1)}0${text.slice(-1)}`;
  }
  return formatFloat(value);
}
