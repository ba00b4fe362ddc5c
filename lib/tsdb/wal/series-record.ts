import type { Labels } from '../../model/index.ts';
import type { SeriesRef } from '../../storage/index.ts';
import { isSeriesRef, RECORD_SERIES } from './format.ts';
import { readLabels, writeLabels } from './labels-field.ts';
import { RecordReader } from './record-reader.ts';
import type { RecordWriter } from './record-writer.ts';

export interface LoggedSeries {
  readonly ref: SeriesRef;
  readonly labels: Labels;
}

/** Writes a series record (type 1): per series ref u64 and labels (tsdb/record/record.go). */
export function encodeSeries(refs: readonly number[], labelsOf: (ref: number) => Labels, out: RecordWriter): void {
  out.begin(RECORD_SERIES);
  for (const ref of refs) {
    out.int64(ref);
    writeLabels(out, labelsOf(ref));
  }
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
