import { atKnownResolution } from '../chunk/index.ts';
import { type FloatHistogram, type HistogramSpan, PromletError } from '../model/index.ts';
import { type ProtoReader, WireType } from './proto-reader.ts';
import { ProtoWriter } from './proto-writer.ts';

const HINTS = ['unknown', 'reset', 'not_reset', 'gauge'] as const;
/** Buckets, spans or bounds of one histogram; storage takes fewer. */
const MAX_ENTRIES = 65_536;

export interface TimedHistogram {
  readonly timestampMs: number;
  readonly histogram: FloatHistogram;
}

/**
 * Reads a `Histogram` up to the end of its message; prompb/types.proto and io/prometheus/write/v2/types.proto number its
 * fields alike. Counts of integer histograms come as differences. What it says is not checked, its size is. One of finer
 * buckets than are calculated with comes with coarser ones.
 * @throws PromletError `remote/bad-protobuf`
 */
export function readHistogram(reader: ProtoReader): TimedHistogram {
  const positiveSpans: HistogramSpan[] = [];
  const negativeSpans: HistogramSpan[] = [];
  const positive = { deltas: [] as number[], counts: [] as number[] };
  const negative = { deltas: [] as number[], counts: [] as number[] };
  const customValues: number[] = [];
  let integer = true;
  let [count, zeroCount, schema, zeroThreshold, hint, timestampMs] = [0, 0, 0, 0, 0, 0];
  // On its own: an array of numbers would make every NaN the same.
  let sum = 0;
  while (reader.more) {
    const key = reader.key();
    switch (key >>> 3) {
      case 1:
        count = reader.uvarint();
        break;
      case 2:
        integer = false;
        count = reader.double();
        break;
      case 3:
        sum = reader.double();
        break;
      case 4:
        schema = unzigzag(reader.uvarint());
        break;
      case 5:
        zeroThreshold = reader.double();
        break;
      case 6:
        zeroCount = reader.uvarint();
        break;
      case 7:
        zeroCount = reader.double();
        break;
      case 8:
        readSpan(reader, negativeSpans);
        break;
      case 9:
        readRepeated(reader, key, negative.deltas, () => unzigzag(reader.uvarint()));
        break;
      case 10:
        readRepeated(reader, key, negative.counts, () => reader.double());
        break;
      case 11:
        readSpan(reader, positiveSpans);
        break;
      case 12:
        readRepeated(reader, key, positive.deltas, () => unzigzag(reader.uvarint()));
        break;
      case 13:
        readRepeated(reader, key, positive.counts, () => reader.double());
        break;
      case 14:
        hint = reader.uvarint();
        break;
      case 15:
        timestampMs = reader.int64Clamped();
        break;
      case 16:
        readRepeated(reader, key, customValues, () => reader.double());
        break;
      default:
        reader.skip(key);
    }
  }
  const histogram: FloatHistogram = {
    ...(integer && { integer }),
    counterResetHint: HINTS[hint] ?? 'unknown',
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum,
    positiveSpans,
    negativeSpans,
    positiveBuckets: integer ? summed(positive.deltas) : Float64Array.from(positive.counts),
    negativeBuckets: integer ? summed(negative.deltas) : Float64Array.from(negative.counts),
    customValues: Float64Array.from(customValues),
  };
  // Spans that do not fit the buckets are refused later; they may claim any number of them.
  const fits =
    lengthOf(positiveSpans) === histogram.positiveBuckets.length &&
    lengthOf(negativeSpans) === histogram.negativeBuckets.length;
  return { timestampMs, histogram: fits ? atKnownResolution(histogram) : histogram };
}

function lengthOf(spans: readonly HistogramSpan[]): number {
  return spans.reduce((sum, { length }) => sum + length, 0);
}

/** Appends the fields of a `Histogram`. */
export function writeHistogram(out: ProtoWriter, timestampMs: number, histogram: FloatHistogram): void {
  const { integer, count, zeroCount, sum, schema, zeroThreshold } = histogram;
  // Members of a oneof are written even when they are 0.
  if (integer) out.uint64(1, count);
  else out.fixedDouble(2, count);
  out.double(3, sum);
  if (schema !== 0) out.uint64(4, zigzag(schema));
  out.double(5, zeroThreshold);
  if (integer) out.uint64(6, zeroCount);
  else out.fixedDouble(7, zeroCount);
  writeSide(out, 8, histogram.negativeSpans, histogram.negativeBuckets, integer ?? false);
  writeSide(out, 11, histogram.positiveSpans, histogram.positiveBuckets, integer ?? false);
  const hint = HINTS.indexOf(histogram.counterResetHint);
  if (hint !== 0) out.uint64(14, hint);
  out.int64(15, timestampMs);
  writeDoubles(out, 16, histogram.customValues);
}

const scratch = new ProtoWriter();

function writeSide(
  out: ProtoWriter,
  field: number,
  spans: readonly HistogramSpan[],
  buckets: Float64Array,
  integer: boolean,
): void {
  for (const { offset, length } of spans) {
    scratch.clear();
    if (offset !== 0) scratch.uint64(1, zigzag(offset));
    if (length !== 0) scratch.uint64(2, length);
    out.embed(field, scratch);
  }
  if (!integer) {
    writeDoubles(out, field + 2, buckets);
    return;
  }
  if (buckets.length === 0) return;
  scratch.clear();
  for (let i = 0; i < buckets.length; i++) scratch.uvarint(zigzag(buckets[i]! - (i > 0 ? buckets[i - 1]! : 0)));
  out.embed(field + 1, scratch);
}

function writeDoubles(out: ProtoWriter, field: number, values: Float64Array): void {
  if (values.length === 0) return;
  out.message(field, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

function readSpan(reader: ProtoReader, into: HistogramSpan[]): void {
  checkSize(into);
  let offset = 0;
  let length = 0;
  const outerEnd = reader.enter();
  while (reader.more) {
    const key = reader.key();
    if (key === 0x08) offset = unzigzag(reader.uvarint());
    else if (key === 0x10) length = reader.uvarint();
    else reader.skip(key);
  }
  reader.leave(outerEnd);
  into.push({ offset, length });
}

/** Packed or one by one: a reader must take both. */
function readRepeated(reader: ProtoReader, key: number, into: number[], read: () => number): void {
  if ((key & 7) !== WireType.bytes) {
    checkSize(into);
    into.push(read());
    return;
  }
  const outerEnd = reader.enter();
  while (reader.more) {
    checkSize(into);
    into.push(read());
  }
  reader.leave(outerEnd);
}

function checkSize(entries: readonly unknown[]): void {
  if (entries.length < MAX_ENTRIES) return;
  throw new PromletError('remote/bad-protobuf', `a histogram of more than ${MAX_ENTRIES} buckets, spans or bounds`);
}

function summed(deltas: readonly number[]): Float64Array {
  let count = 0;
  return Float64Array.from(deltas, (delta) => (count += delta));
}

const zigzag = (value: number): number => (value >= 0 ? value * 2 : -value * 2 - 1);
const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);
