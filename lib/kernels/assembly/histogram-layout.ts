// Offsets of what the histogram kernels share with TypeScript; plain integer constants only.
//
// The state of one chunk that is read or written: what stays the same in it, then a cell for each number of a sample.
//
//     | chunk | bits | … | count | zero count | sum | positive buckets … | negative buckets … |
//
// A sample travels as a row of f64: time in ms and then the numbers in the order of the cells, buckets as absolute counts.

/** u32 address of the chunk's first byte. */
export const HISTOGRAM_CHUNK = 0;
/** u32: bits of the chunk that are read or written, its header included. */
export const HISTOGRAM_BITS = 4;
/** u32: bits there are to read. */
export const HISTOGRAM_END = 8;
/** u32: samples read or written, and how many there are to read. */
export const HISTOGRAM_SAMPLES = 12;
export const HISTOGRAM_TOTAL = 16;
/** u32: 1 when counts are f64, 0 when they are integers. */
export const HISTOGRAM_FLOAT = 20;
/** u32: positive and negative buckets. */
export const HISTOGRAM_POSITIVE = 24;
export const HISTOGRAM_NEGATIVE = 28;
/** i32. */
export const HISTOGRAM_SCHEMA = 32;
/** u32: entries of the layout area. */
export const HISTOGRAM_POSITIVE_SPANS = 36;
export const HISTOGRAM_NEGATIVE_SPANS = 40;
export const HISTOGRAM_CUSTOM_VALUES = 44;
/** f64. */
export const HISTOGRAM_ZERO_THRESHOLD = 48;
/** i64 ms of the newest sample, and from the one before it. */
export const HISTOGRAM_TIME = 56;
export const HISTOGRAM_TIME_DELTA = 64;
/** u8: the counter reset header, in its upper two bits. */
export const HISTOGRAM_HEADER = 72;
/** u8: the start time header of encodings 5 and 6, else 0. */
export const HISTOGRAM_STARTS = 73;
/** u64 scratch. */
export const HISTOGRAM_SCRATCH = 80;
export const HISTOGRAM_CELLS = 88;

/** i64 or f64: the number in the newest sample. */
export const CELL_VALUE = 0;
/** Integers: i64, how much it grew. Of an f64: u8 leading and u8 trailing zero bits of its XOR window. */
export const CELL_CHANGE = 8;
export const CELL_SIZE = 16;
/** Cells before the buckets: count, zero count, sum. */
export const PLAIN_CELLS = 3;

/** f64 of a row: time and what is in the cells. */
export const ROW_TIME = 0;
export const ROW_CELLS = 8;

// The layout area: entries of 8 bytes, positive spans, negative spans, custom values (f64).

/** i32 buckets left out before the span, u32 buckets in it. */
export const SPAN_OFFSET = 0;
export const SPAN_LENGTH = 4;
export const LAYOUT_ENTRY_SIZE = 8;

/** Buckets of one histogram, positive and negative together; more are refused. */
export const MAX_BUCKETS = 65536;
/** Spans and custom values of one histogram. */
export const MAX_LAYOUT_ENTRIES = 131072;

/** Bytes that a chunk's first sample takes at most beside its cells, layout entries aside, and any other sample. */
export const MAX_SAMPLE_FRAME_BYTES = 64;
/** The largest cell, and the largest layout entry. */
export const MAX_CELL_BYTES = 10;
export const MAX_LAYOUT_ENTRY_BYTES = 18;

// Outcomes of openHistograms.
export const OPEN_DAMAGED = -1;
/** The layout area is too small. */
export const OPEN_NEEDS_ROOM = -2;
export const OPEN_TOO_LARGE = -3;
