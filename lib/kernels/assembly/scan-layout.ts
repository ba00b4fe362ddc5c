/**
 * Memory layout of the exposition scan, read by the kernel (assembly/scan.ts), its twin and `agent/scrape`. All fields
 * are little-endian u32 unless stated; offsets are bytes. No imports here: AssemblyScript compiles this file too.
 *
 * A page is a sequence of lines, its last byte a line feed. A record remembers one line, in page order:
 *
 *     0        16        20     24     28
 *     | hash   | size    | ref  | seen | live |
 *       u128     kind<<28
 *              | bytes
 *
 * `hash` is the seeded hash of the line's first `bytes` bytes: the series (up to the blank before the value), or a whole
 * comment line. `ref` is the series ref, 0 for what is not stored. `seen` is the number of the scrape that last saw the
 * line; `live` is 1 when its series needs a stale marker once it is gone.
 */
export const RECORD_HASH = 0;
export const RECORD_SIZE = 16;
export const RECORD_REF = 20;
export const RECORD_SEEN = 24;
export const RECORD_LIVE = 28;
export const RECORD_BYTES = 32;

/** Low bits of RECORD_SIZE: length in bytes. */
export const SIZE_MASK = 0x0fffffff;
/** Shift of the kind in RECORD_SIZE. */
export const KIND_SHIFT = 28;

/** Kinds of lines. From KIND_COMMENT on there is no value; from KIND_TYPE on the line is a `# TYPE`. */
export const KIND_SERIES = 0;
/** A series that metric relabelling drops: counted, not stored. */
export const KIND_DROPPED = 1;
export const KIND_COMMENT = 2;
export const KIND_TYPE = 3;

/** State block: the position of a walk, updated by `scanPage`. */
export const STATE_SEED = 0; // u128
/** Address of the next line. */
export const STATE_POSITION = 16;
/** Address behind the page; the byte before it is a line feed. */
export const STATE_END = 20;
/** Address of the record expected next, and behind the last record. */
export const STATE_RECORD = 24;
export const STATE_RECORDS_END = 28;
/** Addresses of the columns: u32 refs and f64 values. */
export const STATE_REFS = 32;
export const STATE_VALUES = 36;
/** Samples in the columns; the kernel adds behind them. */
export const STATE_COUNT = 40;
/** Sample lines walked, those of dropped series included. */
export const STATE_SCRAPED = 44;
/** Number of this scrape, written to RECORD_SEEN. */
export const STATE_SCRAPE = 48;
/** Kind of the last `# TYPE` line passed, 0 before the first. */
export const STATE_TYPE = 52;
export const STATE_BYTES = 56;
