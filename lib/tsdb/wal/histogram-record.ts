import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type HistogramSpan } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import { atKnownResolution } from '../../chunk/index.ts';
import {
  isSeriesRef,
  RECORD_CUSTOM_FLOAT_HISTOGRAMS,
  RECORD_CUSTOM_HISTOGRAMS,
  RECORD_FLOAT_HISTOGRAMS,
  RECORD_FLOAT_HISTOGRAMS_V2,
  RECORD_HISTOGRAMS,
  RECORD_HISTOGRAMS_V2,
} from './format.ts';
import { RecordReader } from './record-reader.ts';
import type { RecordWriter } from './record-writer.ts';

const HINTS = ['unknown', 'reset', 'not_reset', 'gauge'] as const;
/** Schemas that are known (histogram.IsKnownSchema); those above the finest that is used are reduced to it. */
const MIN_SCHEMA = -9;
const MAX_SCHEMA = 52;
/** Bounds what decoding allocates; a byte of a record may stand for the eight of a bucket. */
const MAX_BUCKETS = 1 << 20;
const NO_START_TIME = 0;
const SAME_START_TIME = 1;

/** Histogram samples as columns, one row per sample. */
export class HistogramSamples {
  readonly refs: SeriesRef[] = [];
  readonly timesMs: number[] = [];
  readonly histograms: FloatHistogram[] = [];

  get length(): number {
    return this.refs.length;
  }

  push(ref: SeriesRef, timeMs: number, histogram: FloatHistogram): void {
    this.refs.push(ref);
    this.timesMs.push(timeMs);
    this.histograms.push(histogram);
  }

  clear(): void {
    this.refs.length = 0;
    this.timesMs.length = 0;
    this.histograms.length = 0;
  }
}

/**
 * Writes the records that Prometheus's appender makes of the samples: integer histograms (type 7), those of them with
 * custom buckets (9), float histograms (8), those of them with custom buckets (10). Each: ref u64 and time i64 of the first,
 * then per sample the zigzag varints of ref and time minus those, and the histogram (tsdb/record/record.go).
 * @param emit is called for each record, which then lies in `out`
 */
export function encodeHistograms(samples: HistogramSamples, out: RecordWriter, emit: () => void): void {
  for (const integer of [true, false]) {
    const ofKind = rowsOf(samples, ({ integer: is }) => (is === true) === integer);
    const custom = ofKind.filter((row) => isCustom(samples.histograms[row]!));
    const exponential = custom.length === 0 ? ofKind : ofKind.filter((row) => !isCustom(samples.histograms[row]!));
    // Prometheus counts from the first of the kind, also where that one goes to the other record.
    const first = ofKind[0]!;
    encodeRows(integer ? RECORD_HISTOGRAMS : RECORD_FLOAT_HISTOGRAMS, samples, exponential, first, out, emit);
    encodeRows(
      integer ? RECORD_CUSTOM_HISTOGRAMS : RECORD_CUSTOM_FLOAT_HISTOGRAMS,
      samples,
      custom,
      custom[0]!,
      out,
      emit,
    );
  }
}

function rowsOf({ histograms }: HistogramSamples, of: (histogram: FloatHistogram) => boolean): number[] {
  const rows: number[] = [];
  for (let row = 0; row < histograms.length; row++) if (of(histograms[row]!)) rows.push(row);
  return rows;
}

function isCustom({ schema }: FloatHistogram): boolean {
  return schema === CUSTOM_BUCKETS_SCHEMA;
}

function encodeRows(
  type: number,
  { refs, timesMs, histograms }: HistogramSamples,
  rows: readonly number[],
  first: number,
  out: RecordWriter,
  emit: () => void,
): void {
  const integer = type === RECORD_HISTOGRAMS || type === RECORD_CUSTOM_HISTOGRAMS;
  const begin = (): void => {
    out.begin(type);
    out.int64(refs[first]!);
    out.int64(timesMs[first]!);
  };
  let begun = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (i === 0) {
      begin();
    } else if (!out.takesRow(i - begun)) {
      emit();
      first = row;
      begun = i;
      begin();
    }
    out.varint(refs[row]! - refs[first]!);
    out.varint(timesMs[row]! - timesMs[first]!);
    writeHistogram(out, histograms[row]!, integer);
  }
  if (rows.length > 0) emit();
}

/**
 * A histogram in a record: counter reset hint u8, schema varint, zero threshold f64; zero count and count, sum f64; positive
 * then negative spans, each their number and per span offset varint and length uvarint; positive then negative buckets,
 * each their number and the buckets; with custom buckets, their number and bounds f64. Counts are uvarints and buckets
 * varints of the difference to the bucket before, or all are f64 in a float histogram.
 */
function writeHistogram(out: RecordWriter, histogram: FloatHistogram, integer: boolean): void {
  out.byte(HINTS.indexOf(histogram.counterResetHint));
  out.varint(histogram.schema);
  out.float64(histogram.zeroThreshold);
  if (integer) {
    out.uvarint(histogram.zeroCount);
    out.uvarint(histogram.count);
  } else {
    out.float64(histogram.zeroCount);
    out.float64(histogram.count);
  }
  out.float64(histogram.sum);
  writeSpans(out, histogram.positiveSpans);
  writeSpans(out, histogram.negativeSpans);
  if (integer) {
    writeDeltas(out, histogram.positiveBuckets);
    writeDeltas(out, histogram.negativeBuckets);
  } else {
    writeFloats(out, histogram.positiveBuckets);
    writeFloats(out, histogram.negativeBuckets);
  }
  if (isCustom(histogram)) writeFloats(out, histogram.customValues);
}

function writeSpans(out: RecordWriter, spans: readonly HistogramSpan[]): void {
  out.uvarint(spans.length);
  for (const { offset, length } of spans) {
    out.varint(offset);
    out.uvarint(length);
  }
}

function writeDeltas(out: RecordWriter, buckets: Float64Array): void {
  out.uvarint(buckets.length);
  let before = 0;
  for (const bucket of buckets) {
    out.varint(bucket - before);
    before = bucket;
  }
}

function writeFloats(out: RecordWriter, values: Float64Array): void {
  out.uvarint(values.length);
  for (const value of values) out.float64(value);
}

/**
 * Decodes a record of type 7 to 10, or 12 and 13 without their start times, behind the rows of `into`. Histograms
 * of schemas that nobody knows are left out, as Prometheus leaves them out.
 * @returns false when the record is malformed; what came before is then in `into`
 */
export function decodeHistograms(bytes: Uint8Array, into: HistogramSamples): boolean {
  const record = new RecordReader(bytes);
  const type = record.byte();
  if (!record.hasMore) return true;
  const integer = type === RECORD_HISTOGRAMS || type === RECORD_CUSTOM_HISTOGRAMS || type === RECORD_HISTOGRAMS_V2;
  const startTimes = type === RECORD_HISTOGRAMS_V2 || type === RECORD_FLOAT_HISTOGRAMS_V2;
  const baseRef = startTimes ? record.varint() : record.uint64();
  const baseMs = startTimes ? record.varint() : record.int64();
  if (startTimes) record.varint();
  let ref = baseRef;
  for (let row = 0; record.hasMore; row++) {
    let timeMs = baseMs;
    if (!startTimes) {
      ref = baseRef + record.varint();
      timeMs += record.varint();
    } else if (row > 0) {
      ref += record.varint();
      timeMs += record.varint();
      const marker = record.byte();
      if (marker !== NO_START_TIME && marker !== SAME_START_TIME) record.varint();
    }
    const histogram = readHistogram(record, integer);
    if (histogram === undefined || !isSeriesRef(ref) || !Number.isSafeInteger(timeMs)) return false;
    const { schema } = histogram;
    const isKnown = isCustom(histogram) || (schema >= MIN_SCHEMA && schema <= MAX_SCHEMA);
    if (!isKnown) continue;
    into.push(ref, timeMs, atKnownResolution(histogram));
  }
  return !record.failed;
}

function readHistogram(record: RecordReader, integer: boolean): FloatHistogram | undefined {
  const counterResetHint = HINTS[record.byte()] ?? 'unknown';
  const schema = record.varint();
  const zeroThreshold = record.float64();
  const zeroCount = integer ? record.uvarint() : record.float64();
  const count = integer ? record.uvarint() : record.float64();
  const sum = record.float64();
  const positiveSpans = readSpans(record);
  const negativeSpans = readSpans(record);
  const positiveBuckets = integer ? readDeltas(record) : readFloats(record);
  const negativeBuckets = integer ? readDeltas(record) : readFloats(record);
  const customValues = schema === CUSTOM_BUCKETS_SCHEMA ? readFloats(record) : new Float64Array(0);
  if (
    record.failed ||
    bucketsIn(positiveSpans) !== positiveBuckets.length ||
    bucketsIn(negativeSpans) !== negativeBuckets.length
  ) {
    return undefined;
  }
  const histogram: FloatHistogram = {
    counterResetHint,
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum,
    positiveSpans,
    negativeSpans,
    positiveBuckets,
    negativeBuckets,
    customValues,
  };
  // Counts that a float64 does not hold exactly would not be written back as they are: a float histogram then.
  return integer && isExact(histogram) ? { integer: true, ...histogram } : histogram;
}

function readSpans(record: RecordReader): HistogramSpan[] {
  const spans: HistogramSpan[] = [];
  for (let left = record.count(2); left > 0 && !record.failed; left--) {
    const offset = record.varint();
    const length = record.uvarint();
    spans.push({ offset, length });
  }
  return spans;
}

function readDeltas(record: RecordReader): Float64Array {
  const buckets = new Float64Array(record.count(1, MAX_BUCKETS));
  let bucket = 0;
  for (let i = 0; i < buckets.length; i++) buckets[i] = bucket += record.varint();
  return buckets;
}

function readFloats(record: RecordReader): Float64Array {
  const values = new Float64Array(record.count(8, MAX_BUCKETS));
  for (let i = 0; i < values.length; i++) values[i] = record.float64();
  return values;
}

function bucketsIn(spans: readonly HistogramSpan[]): number {
  let buckets = 0;
  for (const { length } of spans) buckets += length;
  return buckets;
}

function isExact({ zeroCount, count, positiveBuckets, negativeBuckets }: FloatHistogram): boolean {
  if (!Number.isSafeInteger(zeroCount) || !Number.isSafeInteger(count)) return false;
  return positiveBuckets.every(Number.isSafeInteger) && negativeBuckets.every(Number.isSafeInteger);
}
