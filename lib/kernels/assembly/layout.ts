// The one place for offsets in shared memory; imported by the kernels (as AssemblyScript) and by TypeScript, so plain
// integer constants only.
//
// A series record, one cache line, in a page of SERIES_PAGE_COUNT records. A directory of page addresses (u32, 0 = no
// page) leads from a ref to its record:
//
//     ref = page number << 10 | slot        record = directory[page number] + slot * 64
//
//     0        8        16       24       32            40      44      48        52  54 55 56      60     64
//     | last t | last v | delta  | next at| chunk min t | chunk | bits  | capacity| n |l |t | older | labels|

/** i64 ms of the newest sample; i64.min while there is none. */
export const SERIES_LAST_TIME = 0;
/** Bits of the newest value. */
export const SERIES_LAST_VALUE = 8;
/** i64 ms between the newest two samples of the open chunk. */
export const SERIES_DELTA = 16;
/** i64 ms: a sample at or after it starts a new chunk (Prometheus `memSeries.nextAt`). */
export const SERIES_NEXT_AT = 24;
/** i64 ms of the open chunk's first sample. */
export const SERIES_CHUNK_MIN_TIME = 32;
/** u32 address of the open chunk's block; 0 while there is none. */
export const SERIES_CHUNK = 40;
/** u32: bits of the open chunk in use, its sample count header included. */
export const SERIES_CHUNK_BITS = 44;
/** u32: bytes for chunk data in the open chunk's block, CHUNK_SLACK not counted. */
export const SERIES_CHUNK_CAPACITY = 48;
/** u16: samples in the open chunk. */
export const SERIES_CHUNK_SAMPLES = 52;
/** u8: leading zero bits of the current XOR window; 0xff = none yet. */
export const SERIES_LEADING = 54;
/** u8: trailing zero bits of the current XOR window. */
export const SERIES_TRAILING = 55;
/** u32 address of the newest completed chunk's block; 0 = none. */
export const SERIES_OLDER_CHUNK = 56;
/** u32 address of the label pair ids; 0 = this slot holds no series. */
export const SERIES_LABELS = 60;
export const SERIES_SIZE = 64;
export const SERIES_PAGE_BITS = 10;
export const SERIES_PAGE_COUNT = 1024;

// A chunk block: a header that is filled when the chunk is completed, then the chunk's bytes as Prometheus stores them.

/** u32 address of the next older completed chunk; 0 = none. */
export const CHUNK_OLDER = 0;
/** u32 size of the chunk's bytes. */
export const CHUNK_LENGTH = 4;
/** f64 ms of the first and the last sample. */
export const CHUNK_MIN_TIME = 8;
export const CHUNK_MAX_TIME = 16;
/** First byte of the chunk's bytes: u16 big-endian sample count, then the bit stream. */
export const CHUNK_DATA = 24;
/** Bytes behind the data that kernels may read or write: they move eight at a time. */
export const CHUNK_SLACK = 8;

/** The largest XOR sample; a block with less room left must grow first. */
export const MAX_SAMPLE_BYTES = 19;
/** A chunk with more bytes than this takes no further sample (`MaxBytesPerXORChunkBeforeAppend`). */
export const MAX_CHUNK_BYTES_BEFORE_APPEND = 1005;
/** Samples a chunk aims for; the end is estimated at a quarter, twice as many is the most. */
export const SAMPLES_PER_CHUNK = 120;

// Outcomes of one append, as in lib/storage `AppendResult`, and two that ask the caller to act and call again.
export const APPEND_OK = 0;
export const APPEND_OUT_OF_ORDER = 1;
export const APPEND_DUPLICATE = 2;
export const APPEND_TOO_OLD = 3;
export const APPEND_UNKNOWN_REF = 5;
/** The open chunk's block is too small: move it to a larger one. */
export const APPEND_NEEDS_ROOM = 6;
/** There is no open chunk, or it is complete: start a new one. */
export const APPEND_NEEDS_CHUNK = 7;
/** A batch stops at sample `index` with `index << 3 | outcome`. */
export const APPEND_OUTCOME_BITS = 3;

// What a batch did: u32 counts by outcome 0..7, then the times of the samples it stored.

export const TALLY_COUNTS = 0;
/** f64 ms, smallest and largest; +Infinity and -Infinity while nothing was stored. */
export const TALLY_MIN_TIME = 32;
export const TALLY_MAX_TIME = 40;
export const TALLY_SIZE = 48;
