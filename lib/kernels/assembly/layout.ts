// The one place for offsets in shared memory; imported by the kernels (as AssemblyScript) and by TypeScript, so plain
// integer constants only.
//
// The root of a head: one address leads another thread to all that it reads. All fields are u32 unless said.
//
//     root ─┬▶ directory ─▶ pages of series records ─▶ chunks, label pairs of the series
//           ├▶ tables: hash of labels ─▶ ref; hash of a pair ─▶ pair; hash of a name ─▶ name
//           └▶ lists: refs of all series; all names ─▶ their pairs ─▶ refs of the series that have the pair

/** A seqlock: odd while the writer changes something below the root. For Atomics only. */
export const HEAD_SEQUENCE = 0;
/** Counts removals of series, pairs and names: while it stands, an address of one of them still means the same. */
export const HEAD_GENERATION = 4;
/** Address of the page directory, and how many pages it has room for. */
export const HEAD_DIRECTORY = 8;
export const HEAD_PAGE_COUNT = 12;
/** List of the refs of all series, ascending. */
export const HEAD_ALL_SERIES = 16;
/** List of the addresses of all names. */
export const HEAD_NAMES = 28;
/** Hash tables: of label sets to refs, of pairs and of names to their addresses. */
export const HEAD_SERIES_TABLE = 40;
export const HEAD_PAIR_TABLE = 52;
export const HEAD_NAME_TABLE = 64;
/** Two words that key the hash. */
export const HEAD_HASH_KEY = 76;
/** f64 ms of all samples in the head; +Infinity and -Infinity while there is none. */
export const HEAD_MIN_TIME = 88;
export const HEAD_MAX_TIME = 96;
/** Roots of columns by ref (lib/tsdb/head): of out-of-order records, and of what was deleted. */
export const HEAD_OUT_OF_ORDER = 104;
export const HEAD_TOMBSTONES = 108;
/** f64 ms of all out-of-order samples; +Infinity and -Infinity while there is none. */
export const HEAD_OOO_MIN_TIME = 112;
export const HEAD_OOO_MAX_TIME = 120;
export const HEAD_SIZE = 128;

// A list of u32. One item lies in the list itself (capacity 0), several in a block of their own.

/** The item, or the address of the block. */
export const LIST_ITEMS = 0;
export const LIST_LENGTH = 4;
/** Items the block has room for. */
export const LIST_CAPACITY = 8;

// A hash table that grows and shrinks segment by segment, so that no insertion takes long (extendible hashing): the upper
// `depth` bits of a hash choose an entry of the directory, that leads to a segment; several entries share a segment that
// has not been split as often. Within it, linear probing from hash modulo TABLE_SLOTS on.

/** Address of the directory of segments. */
export const TABLE_DIRECTORY = 0;
/** The directory has 2^depth entries. */
export const TABLE_DEPTH = 4;
/** Entries in all segments. */
export const TABLE_COUNT = 8;
export const TABLE_SIZE = 12;
/** A segment: its own depth, entries in use, then slots of hash and value; value 0 is free. */
export const SEGMENT_DEPTH = 0;
export const SEGMENT_USED = 4;
export const SEGMENT_SLOTS = 8;
export const SLOT_SIZE = 8;
export const TABLE_SLOTS = 255;
export const SEGMENT_SIZE = 2048;

// A label pair. Its text is as in a WAL series record: uvarint length and bytes of the name, then of the value.

/** List of the refs that have the pair, ascending. */
export const PAIR_POSTINGS = 0;
export const PAIR_NAME = 12;
/** Where the pair stands in the list of its name. */
export const PAIR_INDEX = 16;
/** Bytes of the text, and its first. */
export const PAIR_TEXT_LENGTH = 20;
export const PAIR_TEXT = 24;

// A label name.

/** List of the addresses of its pairs. */
export const NAME_PAIRS = 0;
/** Where the name stands in the list of all. */
export const NAME_INDEX = 12;
export const NAME_TEXT_LENGTH = 16;
export const NAME_TEXT = 20;

// The labels of a series: u32 count, then the addresses of the pairs in the order of their names.

// What `lookupLabels` finds: words, then `capacity` addresses of pairs (0: there is no such pair), then as many details.

/** LOOKUP_OK, or why the labels could not be looked up. */
export const LOOKUP_STATUS = 0;
/** Bytes that the labels took. */
export const LOOKUP_CONSUMED = 4;
export const LOOKUP_COUNT = 8;
/** Hash of the label set; only when all pairs are known. */
export const LOOKUP_HASH = 12;
export const LOOKUP_PAIRS = 16;
/** Details of a label: hash of the pair, then offset and length of its text. */
export const LOOKUP_DETAIL_SIZE = 12;

export const LOOKUP_OK = 0;
/** The bytes end early or lengths do not fit. */
export const LOOKUP_MALFORMED = 1;
/** Readable, but not as we write it: names out of order, an empty value, a length in more bytes than it needs. */
export const LOOKUP_NOT_CANONICAL = 2;
/** More labels than `capacity`; LOOKUP_COUNT says how many. */
export const LOOKUP_TOO_MANY = 3;

// A series record, one cache line, in a page of SERIES_PAGE_COUNT records. A directory of page addresses (u32, 0 = no
// page) leads from a ref to its record:
//
//     ref = page number << 8 | slot         record = directory[page number] + slot * 64
//
//     0        8        16       24       32            40      44      48        52  54 55 56      60     64
//     | last t | last v | delta  | next at| chunk min t | chunk | bits  | capacity| n |l |t | older | labels|

/** i64 ms of the newest sample; i64.min while there is none. */
export const SERIES_LAST_TIME = 0;
/** Bits of the newest value; LAST_VALUE_HISTOGRAM when that is a histogram. */
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
/** u8: leading zero bits of the current XOR window; 0xff = none yet. In other chunks OPEN_CHUNK_ENCODING + encoding. */
export const SERIES_LEADING = 54;
/** u8: trailing zero bits of the current XOR window. */
export const SERIES_TRAILING = 55;
/** u32 address of the newest completed chunk's block; 0 = none. */
export const SERIES_OLDER_CHUNK = 56;
/** u32 address of the label pairs; 0 = this slot holds no series. */
export const SERIES_LABELS = 60;
export const SERIES_SIZE = 64;
export const SERIES_PAGE_BITS = 8;
export const SERIES_PAGE_COUNT = 256;
/** SERIES_LEADING from here on names the encoding of an open chunk that is not XOR. */
export const OPEN_CHUNK_ENCODING = 0xf0;
/** No window yet, in an XOR chunk. */
export const NO_XOR_WINDOW = 0xff;
/** Upper and lower word of SERIES_LAST_VALUE when it is a histogram: a NaN that no sample has. */
export const LAST_VALUE_HISTOGRAM_HIGH = 0x7ff00000;
export const LAST_VALUE_HISTOGRAM_LOW = 3;

// A chunk block: a header that is filled when the chunk is completed, then the chunk's bytes as Prometheus stores them.

/** u32 address of the next older completed chunk; 0 = none. */
export const CHUNK_OLDER = 0;
/** u32: size of the chunk's bytes in the lower 24 bits, above them the encoding, the highest bit set in a mapped chunk. */
export const CHUNK_LENGTH = 4;
export const CHUNK_LENGTH_BITS = 24;
export const CHUNK_MAPPED = 0x80000000;
/** f64 ms of the first and the last sample. */
export const CHUNK_MIN_TIME = 8;
export const CHUNK_MAX_TIME = 16;
/** First byte of the chunk's bytes: u16 big-endian sample count, then the bit stream. */
export const CHUNK_DATA = 24;
// Of a mapped chunk, one that lies in a file, the block holds the header and, instead of bytes:

/** u32 number of the file in chunks_head/. */
export const CHUNK_FILE = 24;
/** u32 offset of the chunk in the file. */
export const CHUNK_FILE_OFFSET = 28;
export const MAPPED_CHUNK_SIZE = 32;

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
