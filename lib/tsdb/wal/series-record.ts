import type { Labels } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import { isSeriesRef, RECORD_SERIES } from './format.ts';
import { readLabels, skipLabels, writeLabels } from './labels-field.ts';
import { RecordReader } from './record-reader.ts';
import type { RecordWriter } from './record-writer.ts';

export interface LoggedSeries {
  readonly ref: SeriesRef;
  readonly labels: Labels;
}

/** A series whose labels are not decoded: `labels` are their bytes. */
export interface EncodedSeries {
  readonly ref: SeriesRef;
  readonly labels: Uint8Array;
}

/**
 * Writes a series record (type 1) of the series from `from` on: per series ref u64 and labels (tsdb/record/record.go).
 * @returns the first that it has no room for
 */
export function encodeSeries(
  refs: readonly SeriesRef[],
  labelsOf: (ref: SeriesRef) => Labels,
  from: number,
  out: RecordWriter,
): number {
  out.begin(RECORD_SERIES);
  let i = from;
  for (; i < refs.length && out.takesRow(i - from); i++) {
    out.int64(refs[i]!);
    writeLabels(out, labelsOf(refs[i]!));
  }
  return i;
}

/** As `encodeSeries`, of series as `scanSeries` gives them. */
export function encodeScannedSeries(rows: readonly EncodedSeries[], from: number, out: RecordWriter): number {
  out.begin(RECORD_SERIES);
  let i = from;
  for (; i < rows.length && out.takesRow(i - from); i++) {
    out.int64(rows[i]!.ref);
    out.bytes(rows[i]!.labels);
  }
  return i;
}

/** @returns undefined when the record is malformed */
export function decodeSeries(bytes: Uint8Array): LoggedSeries[] | undefined {
  const record = new RecordReader(bytes);
  const rows: LoggedSeries[] = [];
  record.byte();
  while (record.hasMore) {
    const ref = record.uint64();
    const labels = readLabels(record);
    if (record.failed || !isSeriesRef(ref)) return undefined;
    rows.push({ ref, labels });
  }
  return record.failed ? undefined : rows;
}

/** As `decodeSeries`, with labels left where they are. @returns undefined when the record is malformed */
export function scanSeries(bytes: Uint8Array): EncodedSeries[] | undefined {
  const record = new RecordReader(bytes);
  const rows: EncodedSeries[] = [];
  record.byte();
  while (record.hasMore) {
    const ref = record.uint64();
    const start = record.position;
    skipLabels(record);
    if (record.failed || !isSeriesRef(ref)) return undefined;
    rows.push({ ref, labels: bytes.subarray(start, record.position) });
  }
  return record.failed ? undefined : rows;
}
