import { METRIC_TYPES } from '../../model/index.ts';
import type { Metadata, SeriesRef } from '../../storage/index.ts';
import { isSeriesRef, RECORD_METADATA } from './format.ts';
import { RecordReader } from './record-reader.ts';
import type { RecordWriter } from './record-writer.ts';

export interface LoggedMetadata {
  readonly ref: SeriesRef;
  readonly metadata: Metadata;
}

const UNIT_FIELD = 'UNIT';
const HELP_FIELD = 'HELP';

/**
 * Writes a metadata record (type 6) of the rows from `from` on: per series ref uvarint, type u8, number of fields uvarint, and per field its name and
 * its value, both behind uvarint lengths (tsdb/record/record.go).
 * @returns the first row that it has no room for
 */
export function encodeMetadata(rows: readonly LoggedMetadata[], from: number, out: RecordWriter): number {
  out.begin(RECORD_METADATA);
  let i = from;
  for (; i < rows.length && out.takesRow(i - from); i++) {
    const { ref, metadata } = rows[i]!;
    out.uvarint(ref);
    out.byte(Math.max(0, METRIC_TYPES.indexOf(metadata.type)));
    out.uvarint(2);
    out.text(UNIT_FIELD);
    out.text(metadata.unit);
    out.text(HELP_FIELD);
    out.text(metadata.help);
  }
  return i;
}

/** Fields of other names are passed over. @returns undefined when the record is malformed */
export function decodeMetadata(bytes: Uint8Array): LoggedMetadata[] | undefined {
  const record = new RecordReader(bytes);
  const rows: LoggedMetadata[] = [];
  record.byte();
  while (record.hasMore) {
    const ref = record.uvarint();
    const type = METRIC_TYPES[record.byte()] ?? 'unknown';
    let unit = '';
    let help = '';
    for (let fields = record.count(2); fields > 0 && !record.failed; fields--) {
      const name = record.text();
      const value = record.text();
      if (name === UNIT_FIELD) unit = value;
      else if (name === HELP_FIELD) help = value;
    }
    if (record.failed || !isSeriesRef(ref)) return undefined;
    rows.push({ ref, metadata: { type, unit, help } });
  }
  return record.failed ? undefined : rows;
}
