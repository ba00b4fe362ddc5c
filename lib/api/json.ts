/** Answers of the endpoints that read storage as JSON, written piece by piece as they are taken. Follows Prometheus `util/jsonutil`. */
import { type FloatHistogram, formatFloat, type Labels, type PackedTexts } from '../model/index.ts';
import type { MatrixSeries, QueryValue, VectorSample } from '../promql/index.ts';
import { writeHistogram } from './histogram-json.ts';
import { JsonWriter } from './json-writer.ts';
import type { Piece } from './respond.ts';

/** The `data` of an answer to a query. @param stats the JSON text of its statistics */
export function* queryData(value: QueryValue, stats?: string): Generator<Piece> {
  const out = new JsonWriter();
  out.raw(`{"resultType":"${value.type}","result":`);
  switch (value.type) {
    case 'scalar':
      out.raw('[');
      out.time(value.timestampMs);
      // Prometheus writes scalars without an exponent, unlike samples.
      out.raw(`,"${formatFloat(value.value)}"]`);
      break;
    case 'string':
      out.raw('[');
      out.time(value.timestampMs);
      out.raw(',');
      out.string(value.value);
      out.raw(']');
      break;
    case 'vector':
      yield* arrayPieces(out, value.samples, writeSample);
      break;
    case 'matrix':
      out.raw('[');
      for (let i = 0; i < value.series.length; i++) {
        if (i > 0) out.raw(',');
        yield* seriesPieces(out, value.series[i]!);
      }
      out.raw(']');
      break;
  }
  out.raw(stats === undefined ? '}' : `,"stats":${stats}}`);
  yield out.take();
}

/** Label sets, as `series` answers. */
export function labelSetsData(sets: readonly Labels[]): Generator<Piece> {
  return arrayData(sets, (out, labels) => out.labels(labels));
}

/** Strings, as the label endpoints answer. */
export function stringsData(strings: readonly string[]): Generator<Piece> {
  return arrayData(strings, (out, text) => out.string(text));
}

/** The same. */
export function* packedTextsData(texts: PackedTexts): Generator<Piece> {
  const out = new JsonWriter();
  out.raw('[');
  for (let i = 0; i < texts.length;) {
    i = out.texts(texts, i);
    if (out.isFull) yield out.take();
  }
  out.raw(']');
  yield out.take();
}

/** A JSON array, in pieces. */
export function* arrayData<Item>(
  items: readonly Item[],
  write: (out: JsonWriter, item: Item) => void,
): Generator<Piece> {
  const out = new JsonWriter();
  yield* arrayPieces(out, items, write);
  yield out.take();
}

/** Leaves what does not fill a piece to be taken. */
function* arrayPieces<Item>(
  out: JsonWriter,
  items: readonly Item[],
  write: (out: JsonWriter, item: Item) => void,
): Generator<Piece> {
  out.raw('[');
  for (let i = 0; i < items.length; i++) {
    if (i > 0) out.raw(',');
    write(out, items[i]!);
    if (out.isFull) yield out.take();
  }
  out.raw(']');
}

function writeSample(out: JsonWriter, { labels, timestampMs, value, histogram }: VectorSample): void {
  out.raw('{"metric":');
  out.labels(labels);
  if (histogram === undefined) {
    out.raw(',"value":');
    out.point(timestampMs, value);
  } else {
    out.raw(',"histogram":');
    writeHistogramPoint(out, timestampMs, histogram);
  }
  out.raw('}');
}

function* seriesPieces(out: JsonWriter, series: MatrixSeries): Generator<Piece> {
  out.raw('{"metric":');
  out.labels(series.labels);
  const { timestamps, values } = series.histograms === undefined ? series : floatsOf(series, series.histograms);
  if (values.length > 0) {
    out.raw(',"values":[');
    for (let i = 0; i < values.length;) {
      i = out.points(timestamps, values, i);
      if (out.isFull) yield out.take();
    }
    out.raw(']');
  }
  if (series.histograms !== undefined) yield* histogramsPieces(out, series.timestamps, series.histograms);
  out.raw('}');
}

type Histograms = NonNullable<MatrixSeries['histograms']>;

function floatsOf(
  { timestamps, values }: MatrixSeries,
  histograms: Histograms,
): Pick<MatrixSeries, 'timestamps' | 'values'> {
  const isFloat = (_: number, i: number): boolean => histograms[i] === undefined;
  return { timestamps: timestamps.filter(isFloat), values: values.filter(isFloat) };
}

function* histogramsPieces(out: JsonWriter, timestamps: Float64Array, histograms: Histograms): Generator<Piece> {
  let before = ',"histograms":[';
  for (let i = 0; i < timestamps.length; i++) {
    const histogram = histograms[i];
    if (histogram === undefined) continue;
    out.raw(before);
    writeHistogramPoint(out, timestamps[i]!, histogram);
    before = ',';
    if (out.isFull) yield out.take();
  }
  if (before === ',') out.raw(']');
}

function writeHistogramPoint(out: JsonWriter, timestampMs: number, histogram: FloatHistogram): void {
  out.raw('[');
  out.time(timestampMs);
  out.raw(',');
  writeHistogram(out, histogram);
  out.raw(']');
}
