import { PromletError } from '../../model/index.ts';

// The numbers of a block's files; README.md beside this file shows them at work. All integers are big-endian.

export const INDEX_FILE = 'index';
export const CHUNKS_DIRECTORY = 'chunks';
export const META_FILE = 'meta.json';
export const TOMBSTONES_FILE = 'tombstones';
/** Behind the name of a block's directory while it is written (`tmpForCreationBlockDirSuffix` of tsdb/db.go). */
export const CREATION_SUFFIX = '.tmp-for-creation';

export const INDEX_MAGIC = 0xbaaad700;
/** Magic and version. */
export const INDEX_HEADER_BYTES = 5;
/** Six u64 offsets and their CRC, at the end of the index. */
export const INDEX_TOC_BYTES = 52;
/** Series of a version 2 index begin at multiples of it, and their refs are those multiples. */
export const SERIES_ALIGN_BYTES = 16;
/** A ref of 32 bits reaches this far into an index. */
export const MAX_INDEX_BYTES = SERIES_ALIGN_BYTES * 2 ** 32;
/** Of postings offset table entries, the place of every 32nd is kept in memory. */
export const SAMPLE_EVERY = 32;
/** Of symbols more: they are looked up far more often, and a place takes 4 bytes. */
export const SYMBOL_SAMPLE_EVERY = 8;

export const CHUNKS_MAGIC = 0x85bd40dd;
export const CHUNKS_VERSION = 1;
/** Magic, version and three bytes of padding. */
export const SEGMENT_HEADER_BYTES = 8;
export const SEGMENT_MAX_BYTES = 512 << 20;

export const TOMBSTONES_MAGIC = 0x0130ba30;
export const TOMBSTONES_VERSION = 1;

export const CRC_BYTES = 4;
export const MAX_VARINT32_BYTES = 5;
export const MAX_VARINT64_BYTES = 10;

// What is read from a file is held to these before memory is taken for it.

/** A series entry: labels as symbol ids, and chunks. A sample a second for a month makes 22,000 chunks of some 8 bytes. */
export const MAX_SERIES_ENTRY_BYTES = 4 << 20;
export const MAX_SERIES_LABELS = 1 << 16;
/** Different label names in an index, which are held as texts; sorting pairs by number needs as much of a bound. */
export const MAX_LABEL_NAMES = 1 << 21;
/** The postings offset table of a version 1 index, which is held whole at some twenty times its size. */
export const MAX_WHOLE_TABLE_BYTES = 8 << 20;
export const MAX_SYMBOL_BYTES = 16 << 20;
export const MAX_META_BYTES = 4 << 20;
export const MAX_TOMBSTONES_BYTES = 8 << 20;

/** What a damaged file of a block is reported as. */
export function badBlock(path: string, offsetBytes: number, reason: string, cause?: unknown): PromletError {
  return new PromletError(
    'storage/bad-block',
    `${path}: ${reason} at ${offsetBytes}`,
    cause === undefined ? undefined : { cause },
  );
}

/** `000001`, `000002`, … */
export function segmentName(number: number): string {
  return String(number).padStart(6, '0');
}
