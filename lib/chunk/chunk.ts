/** How a chunk's bytes are encoded (`chunkenc.Encoding` of tsdb/chunkenc/chunk.go); stored as one byte. */
export const Encoding = {
  xor: 1,
  histogram: 2,
  floatHistogram: 3,
  /** Read only: what Prometheus writes with `storage.tsdb.chunk_encoding.floats: xor2`. */
  xor2: 4,
  /** Read only: 2 and 3 with a start time for each sample, which is passed over. */
  histogramSt: 5,
  floatHistogramSt: 6,
} as const;
export type Encoding = (typeof Encoding)[keyof typeof Encoding];

/** A run of samples of one series. Times are of its first and last sample, both inclusive. */
export interface Chunk {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly encoding: Encoding;
  /** As chunkenc has them, the sample count in front. Valid until the source that gave the chunk moves on. */
  readonly bytes: Uint8Array;
  /** CRC-32C of the encoding's byte and the bytes, where it was read with them and has been checked. */
  readonly crc?: number;
}

/** A closed interval of times, as tombstones name what is deleted. */
export interface Interval {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}

/** Bytes of one chunk; more are refused. A place in the head has 24 bits for the length. */
export const MAX_CHUNK_BYTES = (1 << 24) - 1;

/** How many samples a chunk says it holds: the only part of it that is looked at. 0 for what is too short to say. */
export function sampleCount(encoding: Encoding, bytes: Uint8Array): number {
  if (bytes.length < 2) return 0;
  const count = (bytes[0]! << 8) | bytes[1]!;
  return encoding >= Encoding.histogramSt ? count & 0x3fff : count;
}
