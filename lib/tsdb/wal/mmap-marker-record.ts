import type { SeriesRef } from '../../storage/index.ts';
import { isSeriesRef, RECORD_MMAP_MARKERS } from './format.ts';
import { RecordReader } from './record-reader.ts';
import type { RecordWriter } from './record-writer.ts';

/**
 * In the log of out-of-order samples: all samples of the series up to here are in this chunk of `chunks_head/`, or in
 * earlier ones. File 0 at offset 0 says that none is.
 */
export interface MmapMarker {
  readonly ref: SeriesRef;
  readonly file: number;
  readonly offsetBytes: number;
}

/**
 * Writes an m-map markers record (type 5) of the rows from `from` on: per marker series ref u64, file u32, offset u32
 * (tsdb/record/record.go).
 * @returns the first row that it has no room for
 */
export function encodeMmapMarkers(rows: readonly MmapMarker[], from: number, out: RecordWriter): number {
  out.begin(RECORD_MMAP_MARKERS);
  let i = from;
  for (; i < rows.length && out.takesRow(i - from); i++) {
    const { ref, file, offsetBytes } = rows[i]!;
    out.int64(ref);
    out.uint32(file);
    out.uint32(offsetBytes);
  }
  return i;
}

/** @returns undefined when the record is malformed */
export function decodeMmapMarkers(bytes: Uint8Array): MmapMarker[] | undefined {
  const record = new RecordReader(bytes);
  const rows: MmapMarker[] = [];
  record.byte();
  while (record.hasMore) {
    const ref = record.uint64();
    const file = record.uint32();
    const offsetBytes = record.uint32();
    if (record.failed || !isSeriesRef(ref)) return undefined;
    rows.push({ ref, file, offsetBytes });
  }
  return record.failed ? undefined : rows;
}
