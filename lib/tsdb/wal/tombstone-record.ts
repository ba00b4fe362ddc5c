import type { SeriesRef } from '../../storage/index.ts';
import type { Interval } from '../../chunk/index.ts';
import { MAX_TIME_MS } from '../limits.ts';
import { isSeriesRef, RECORD_TOMBSTONES } from './format.ts';
import { RecordReader } from './record-reader.ts';
import type { RecordWriter } from './record-writer.ts';

/** What was deleted of one series. */
export interface LoggedTombstone {
  readonly ref: SeriesRef;
  readonly interval: Interval;
}

/**
 * Writes a tombstones record (type 3) of the rows from `from` on: per interval ref u64, first and last ms as zigzag varints
 * (tsdb/record/record.go).
 * @returns the first row that it has no room for
 */
export function encodeTombstones(rows: readonly LoggedTombstone[], from: number, out: RecordWriter): number {
  out.begin(RECORD_TOMBSTONES);
  let i = from;
  for (; i < rows.length && out.takesRow(i - from); i++) {
    const { ref, interval } = rows[i]!;
    out.int64(ref);
    out.varint(interval.minTimeMs);
    out.varint(interval.maxTimeMs);
  }
  return i;
}

/** Times beyond what a sample can have are moved to that limit. @returns undefined when the record is malformed */
export function decodeTombstones(bytes: Uint8Array): LoggedTombstone[] | undefined {
  const record = new RecordReader(bytes);
  const rows: LoggedTombstone[] = [];
  record.byte();
  while (record.hasMore) {
    const ref = record.uint64();
    const minTimeMs = within(record.varint());
    const maxTimeMs = within(record.varint());
    if (record.failed || !isSeriesRef(ref)) return undefined;
    rows.push({ ref, interval: { minTimeMs, maxTimeMs } });
  }
  return record.failed ? undefined : rows;
}

function within(timeMs: number): number {
  return Math.max(-MAX_TIME_MS, Math.min(MAX_TIME_MS, timeMs));
}
