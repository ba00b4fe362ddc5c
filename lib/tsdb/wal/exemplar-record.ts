import type { Exemplar, SeriesRef } from '../../storage/index.ts';
import { isSeriesRef, RECORD_EXEMPLARS } from './format.ts';
import { readLabels, writeLabels } from './labels-field.ts';
import { RecordReader } from './record-reader.ts';
import type { RecordWriter } from './record-writer.ts';

export interface LoggedExemplar {
  readonly ref: SeriesRef;
  readonly exemplar: Exemplar;
}

/**
 * Writes an exemplars record (type 4) of the rows from `from` on: ref u64 and time i64 of the first, then per exemplar the zigzag varints of ref and
 * time minus those, the value and the labels (tsdb/record/record.go).
 * @returns the first row that it has no room for
 */
export function encodeExemplars(rows: readonly LoggedExemplar[], from: number, out: RecordWriter): number {
  out.begin(RECORD_EXEMPLARS);
  const first = rows[from]!;
  out.int64(first.ref);
  out.int64(first.exemplar.timestampMs);
  let i = from;
  for (; i < rows.length && out.takesRow(i - from); i++) {
    const { ref, exemplar } = rows[i]!;
    out.varint(ref - first.ref);
    out.varint(exemplar.timestampMs - first.exemplar.timestampMs);
    out.float64(exemplar.value);
    writeLabels(out, exemplar.labels);
  }
  return i;
}

/** @returns undefined when the record is malformed */
export function decodeExemplars(bytes: Uint8Array): LoggedExemplar[] | undefined {
  const record = new RecordReader(bytes);
  const rows: LoggedExemplar[] = [];
  record.byte();
  if (!record.hasMore) return rows;
  const firstRef = record.uint64();
  const firstMs = record.int64();
  while (record.hasMore) {
    const ref = firstRef + record.varint();
    const timestampMs = firstMs + record.varint();
    const value = record.float64();
    const labels = readLabels(record);
    if (record.failed || !isSeriesRef(ref) || !Number.isSafeInteger(timestampMs)) return undefined;
    rows.push({ ref, exemplar: { labels, value, timestampMs } });
  }
  return record.failed ? undefined : rows;
}
