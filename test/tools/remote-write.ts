/** The senders of remote write 1.0 and 2.0 (prompb/types.proto, prompb/io/prometheus/write/v2/types.proto), for tests. */
import type { FloatHistogram, HistogramSpan } from '../../lib/model/index.ts';
import { Labels, LabelsBuilder } from '../../lib/model/index.ts';
import type { Exemplar, Metadata } from '../../lib/storage/index.ts';
import { ProtoReader } from '../../lib/remote/proto-reader.ts';
import { ProtoWriter } from '../../lib/remote/proto-writer.ts';

export interface WrittenSeries {
  readonly labels: Labels;
  readonly samples?: readonly (readonly [timeMs: number, value: number])[];
  readonly histograms?: readonly (readonly [timeMs: number, histogram: FloatHistogram])[];
  readonly exemplars?: readonly Exemplar[];
  /** Sent by version 2.0 only. */
  readonly metadata?: Metadata;
}

export const REMOTE_WRITE_HEADERS = {
  1: { 'Content-Type': 'application/x-protobuf', 'X-Prometheus-Remote-Write-Version': '0.1.0' },
  2: {
    'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    'X-Prometheus-Remote-Write-Version': '2.0.0',
  },
} as const;

const HINTS = ['unknown', 'reset', 'not_reset', 'gauge'] as const;
const METRIC_TYPES = ['unknown', 'counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset'];

/** An uncompressed request. */
export function encodeWriteRequest(series: readonly WrittenSeries[], version: 1 | 2): Uint8Array {
  return version === 1 ? encodeV1(series) : encodeV2(series);
}

function encodeV1(all: readonly WrittenSeries[]): Uint8Array {
  const request = new ProtoWriter();
  const series = new ProtoWriter();
  for (const { labels, samples = [], exemplars = [], histograms = [] } of all) {
    series.clear();
    writeLabels(series, 1, labels);
    for (const [timeMs, value] of samples) series.message(2, sample(timeMs, value));
    for (const exemplar of exemplars) {
      const out = new ProtoWriter();
      writeLabels(out, 1, exemplar.labels);
      out.double(2, exemplar.value);
      out.int64(3, exemplar.timestampMs);
      series.embed(3, out);
    }
    for (const [timeMs, value] of histograms) series.message(4, encodeHistogram(timeMs, value));
    request.embed(1, series);
  }
  return request.bytes;
}

function encodeV2(all: readonly WrittenSeries[]): Uint8Array {
  const symbols = new Map<string, number>([['', 0]]);
  const symbol = (text: string): number => {
    const known = symbols.get(text);
    if (known !== undefined) return known;
    symbols.set(text, symbols.size);
    return symbols.size - 1;
  };
  const labelRefs = (labels: Labels): Uint8Array => {
    const packed = new ProtoWriter();
    for (const [name, value] of labels) {
      packed.uvarint(symbol(name));
      packed.uvarint(symbol(value));
    }
    return packed.bytes;
  };
  const body = new ProtoWriter();
  const series = new ProtoWriter();
  for (const { labels, samples = [], exemplars = [], histograms = [], metadata } of all) {
    series.clear();
    series.message(1, labelRefs(labels));
    for (const [timeMs, value] of samples) series.message(2, sample(timeMs, value));
    for (const [timeMs, value] of histograms) series.message(3, encodeHistogram(timeMs, value));
    for (const exemplar of exemplars) {
      const out = new ProtoWriter();
      out.message(1, labelRefs(exemplar.labels));
      out.double(2, exemplar.value);
      out.int64(3, exemplar.timestampMs);
      series.embed(4, out);
    }
    if (metadata !== undefined) {
      const out = new ProtoWriter();
      out.int64(1, Math.max(0, METRIC_TYPES.indexOf(metadata.type)));
      out.int64(3, symbol(metadata.help));
      out.int64(4, symbol(metadata.unit));
      series.embed(5, out);
    }
    body.embed(5, series);
  }
  const request = new ProtoWriter();
  for (const text of symbols.keys()) request.message(4, Buffer.from(text));
  request.append(body);
  return request.bytes;
}

function sample(timeMs: number, value: number): Uint8Array {
  const out = new ProtoWriter();
  out.double(1, value);
  out.int64(2, timeMs);
  return out.bytes;
}

function writeLabels(out: ProtoWriter, field: number, labels: Labels): void {
  for (const [name, value] of labels) {
    const pair = new ProtoWriter();
    pair.string(1, name);
    pair.string(2, value);
    out.embed(field, pair);
  }
}

const zigzag = (value: number): number => (value >= 0 ? value * 2 : -value * 2 - 1);
const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);

/** A double that is written even when it is 0, as a member of a oneof must be. */
function explicitDouble(out: ProtoWriter, field: number, value: number): void {
  if (!Object.is(value, 0)) {
    out.double(field, value);
    return;
  }
  out.uvarint(field * 8 + 1);
  out.raw(new Uint8Array(8));
}

function explicitUint(out: ProtoWriter, field: number, value: number): void {
  out.uvarint(field * 8);
  out.uvarint(value);
}

function packedDoubles(out: ProtoWriter, field: number, values: Float64Array): void {
  if (values.length > 0) out.message(field, new Uint8Array(values.slice().buffer));
}

function encodeHistogram(timeMs: number, histogram: FloatHistogram): Uint8Array {
  const out = new ProtoWriter();
  const number = histogram.integer ? explicitUint : explicitDouble;
  number(out, histogram.integer ? 1 : 2, histogram.count);
  out.double(3, histogram.sum);
  explicitUint(out, 4, zigzag(histogram.schema));
  out.double(5, histogram.zeroThreshold);
  number(out, histogram.integer ? 6 : 7, histogram.zeroCount);
  const side = (spans: readonly HistogramSpan[], counts: Float64Array, field: number): void => {
    for (const { offset, length } of spans) {
      const span = new ProtoWriter();
      explicitUint(span, 1, zigzag(offset));
      explicitUint(span, 2, length);
      out.embed(field, span);
    }
    if (!histogram.integer) {
      packedDoubles(out, field + 2, counts);
    } else if (counts.length > 0) {
      const deltas = new ProtoWriter();
      counts.forEach((count, i) => deltas.uvarint(zigzag(count - (i > 0 ? counts[i - 1]! : 0))));
      out.embed(field + 1, deltas);
    }
  };
  side(histogram.negativeSpans, histogram.negativeBuckets, 8);
  side(histogram.positiveSpans, histogram.positiveBuckets, 11);
  explicitUint(out, 14, HINTS.indexOf(histogram.counterResetHint));
  out.int64(15, timeMs);
  packedDoubles(out, 16, histogram.customValues);
  return out.bytes;
}

/** The series of an uncompressed prompb `ReadResponse` to one query. */
export function decodeReadResponse(bytes: Uint8Array): WrittenSeries[] {
  const out: WrittenSeries[] = [];
  fields(new ProtoReader(bytes, 'ReadResponse'), (reader, field) => {
    if (field !== 1) return false;
    nested(reader, (result, resultField) => {
      if (resultField !== 1) return false;
      out.push(decodeSeries(result));
      return true;
    });
    return true;
  });
  return out;
}

function decodeSeries(outer: ProtoReader): WrittenSeries {
  const labels = new LabelsBuilder();
  const samples: [number, number][] = [];
  const histograms: [number, FloatHistogram][] = [];
  nested(outer, (reader, field) => {
    if (field === 1) {
      let name = '';
      let value = '';
      nested(reader, (pair, pairField) => {
        if (pairField === 1) name = pair.string();
        else value = pair.string();
        return true;
      });
      labels.set(name, value);
    } else if (field === 2) {
      let timeMs = 0;
      let value = 0;
      nested(reader, (part, partField) => {
        if (partField === 1) value = part.double();
        else timeMs = part.int64();
        return true;
      });
      samples.push([timeMs, value]);
    } else if (field === 4) {
      histograms.push(decodeHistogram(reader));
    } else {
      return false;
    }
    return true;
  });
  return { labels: labels.labels(), samples, histograms };
}

function decodeHistogram(outer: ProtoReader): [timeMs: number, histogram: FloatHistogram] {
  const spans: Record<number, HistogramSpan[]> = { 8: [], 11: [] };
  const counts: Record<number, number[]> = { 8: [], 11: [] };
  const numbers: number[] = [];
  let customValues: number[] = [];
  let integer = true;
  const list = (reader: ProtoReader, read: () => number): number[] => {
    const values: number[] = [];
    const outerEnd = reader.enter();
    while (reader.more) values.push(read());
    reader.leave(outerEnd);
    return values;
  };
  let sum = 0;
  nested(outer, (reader, field) => {
    if (field === 8 || field === 11) {
      let offset = 0;
      let length = 0;
      nested(reader, (span, spanField) => {
        if (spanField === 1) offset = unzigzag(span.uvarint());
        else length = span.uvarint();
        return true;
      });
      spans[field]!.push({ offset, length });
    } else if (field === 9 || field === 12) {
      let count = 0;
      counts[field - 1] = list(reader, () => (count += unzigzag(reader.uvarint())));
    } else if (field === 10 || field === 13) {
      counts[field - 2] = list(reader, () => reader.double());
    } else if (field === 16) {
      customValues = list(reader, () => reader.double());
    } else if (field === 3) {
      // Not into an array of numbers, which makes every NaN the same.
      sum = reader.double();
    } else if (field === 2 || field === 5 || field === 7) {
      if (field === 2) integer = false;
      numbers[field] = reader.double();
    } else if (field === 4) {
      numbers[field] = unzigzag(reader.uvarint());
    } else if (field === 1 || field === 6 || field === 14) {
      numbers[field] = reader.uvarint();
    } else if (field === 15) {
      numbers[field] = reader.int64();
    } else {
      return false;
    }
    return true;
  });
  const histogram: FloatHistogram = {
    ...(integer ? { integer } : {}),
    counterResetHint: HINTS[numbers[14] ?? 0]!,
    schema: numbers[4] ?? 0,
    zeroThreshold: numbers[5] ?? 0,
    zeroCount: numbers[6] ?? numbers[7] ?? 0,
    count: numbers[1] ?? numbers[2] ?? 0,
    sum,
    positiveSpans: spans[11]!,
    negativeSpans: spans[8]!,
    positiveBuckets: Float64Array.from(counts[11]!),
    negativeBuckets: Float64Array.from(counts[8]!),
    customValues: Float64Array.from(customValues),
  };
  return [numbers[15] ?? 0, histogram];
}

/** Hands each field to `take`, which reads it or returns false. */
function fields(reader: ProtoReader, take: (reader: ProtoReader, field: number) => boolean): void {
  while (reader.more) {
    const key = reader.key();
    if (!take(reader, key >>> 3)) reader.skip(key);
  }
}

function nested(reader: ProtoReader, take: (reader: ProtoReader, field: number) => boolean): void {
  const outerEnd = reader.enter();
  fields(reader, take);
  reader.leave(outerEnd);
}
