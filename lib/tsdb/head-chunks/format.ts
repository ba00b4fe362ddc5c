/**
 * Head chunk files (Prometheus tsdb/docs/format/head_chunks.md, tsdb/chunks/head_chunks.go): `000001`, `000002`, … of at
 * most 128 MiB, a header and chunk after chunk. README.md has a worked example.
 *
 *     file:  | magic u32 be | version u8 | 0 0 0 | chunk | chunk | … | zeros to the end, where space was preallocated
 *     chunk: | ref u64 be | min t i64 be | max t i64 be | encoding u8 | length uvarint | data | CRC-32C u32 be |
 *
 * The CRC is of all before it, from the ref on. A ref, min t and max t of 0 end the file.
 */
export const HEAD_CHUNKS_MAGIC = 0x0130bc91;
export const HEAD_CHUNKS_VERSION = 1;
export const FILE_HEADER_BYTES = 8;
export const MAX_FILE_BYTES = 128 << 20;

/** Offsets in a chunk. */
export const CHUNK_REF = 0;
export const CHUNK_MIN_TIME = 8;
export const CHUNK_MAX_TIME = 16;
export const CHUNK_ENCODING = 24;
export const CHUNK_LENGTH = 25;
export const MAX_LENGTH_BYTES = 5;
export const CRC_BYTES = 4;
/** All but the data, at most (`MaxHeadChunkMetaSize`): fewer bytes, if zeros, are the end of a file. */
export const MAX_CHUNK_OVERHEAD_BYTES = CHUNK_LENGTH + MAX_LENGTH_BYTES + CRC_BYTES;

/** In the encoding's byte: the chunk holds out-of-order samples. */
export const OUT_OF_ORDER_FLAG = 0x80;

export function headChunkFileName(file: number): string {
  return String(file).padStart(6, '0');
}

/** The number of a head chunk file's name, undefined for other files. */
export function headChunkFileNumber(name: string): number | undefined {
  return /^\d{6,10}$/.test(name) ? Number(name) : undefined;
}

export function fileHeader(): Uint8Array {
  const header = new Uint8Array(FILE_HEADER_BYTES);
  new DataView(header.buffer).setUint32(0, HEAD_CHUNKS_MAGIC);
  header[4] = HEAD_CHUNKS_VERSION;
  return header;
}
