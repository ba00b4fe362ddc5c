/**
 * The write-ahead log's framing (Prometheus tsdb/docs/format/wal.md, tsdb/wlog/wlog.go). Segments `00000000`, `00000001`, …
 * of at most 128 MiB consist of pages of 32 KiB; a record is cut into fragments that never cross a page, and never
 * crosses a segment.
 *
 *     fragment: | type and flags u8 | length u16 be | CRC-32C of the data u32 be | data |
 *
 * A page whose rest is too small for a fragment, or that is closed early, is filled with zeros.
 */
export const SEGMENT_BYTES = 128 << 20;
export const PAGE_BYTES = 32 << 10;
export const FRAGMENT_HEADER_BYTES = 7;

/** Low three bits of the first byte. */
export const FRAGMENT_TYPE_MASK = 7;
export const FRAGMENT_PADDING = 0;
export const FRAGMENT_FULL = 1;
export const FRAGMENT_FIRST = 2;
export const FRAGMENT_MIDDLE = 3;
export const FRAGMENT_LAST = 4;
/** The record's bytes are compressed; the same on all its fragments. */
export const FLAG_SNAPPY = 8;
export const FLAG_ZSTD = 16;

/** First byte of a record (tsdb/record/record.go). */
export const RECORD_SERIES = 1;
export const RECORD_SAMPLES = 2;
export const RECORD_TOMBSTONES = 3;
export const RECORD_EXEMPLARS = 4;
/** In the log of out-of-order samples only. */
export const RECORD_MMAP_MARKERS = 5;
export const RECORD_METADATA = 6;
export const RECORD_HISTOGRAMS = 7;
export const RECORD_FLOAT_HISTOGRAMS = 8;
/** Histograms with custom buckets have records of their own, which older readers pass over. */
export const RECORD_CUSTOM_HISTOGRAMS = 9;
export const RECORD_CUSTOM_FLOAT_HISTOGRAMS = 10;
/** With start times, which Prometheus 3.15 writes when they are enabled; read without them. */
export const RECORD_SAMPLES_V2 = 11;
export const RECORD_HISTOGRAMS_V2 = 12;
export const RECORD_FLOAT_HISTOGRAMS_V2 = 13;

/** By type, as Prometheus calls them in its logs. */
export const RECORD_NAMES: Readonly<Record<number, string>> = {
  1: 'series',
  2: 'samples',
  3: 'tombstones',
  4: 'exemplars',
  5: 'mmap_markers',
  6: 'metadata',
  7: 'histogram_samples',
  8: 'float_histogram_samples',
  9: 'custom_buckets_histogram_samples',
  10: 'custom_buckets_float_histogram_samples',
  11: 'samples_v2',
  12: 'histogram_samples_v2',
  13: 'float_histogram_samples_v2',
};

/** Whether a number from a record can name a series. */
export function isSeriesRef(ref: number): boolean {
  return ref > 0 && ref < 2 ** 32 && Number.isInteger(ref);
}

export function segmentName(index: number): string {
  return String(index).padStart(8, '0');
}

/** The index of a segment's file name, undefined for other files. */
export function segmentIndex(name: string): number | undefined {
  return /^\d{8,}$/.test(name) ? Number(name) : undefined;
}

/** Most bytes that framing makes of a record of `length` bytes, from any position in a page. */
export function framedBytes(length: number): number {
  const fragments = Math.ceil(length / (PAGE_BYTES - FRAGMENT_HEADER_BYTES)) + 2;
  return length + fragments * 2 * FRAGMENT_HEADER_BYTES;
}
