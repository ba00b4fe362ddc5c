/** How a chunk's bytes are encoded (`chunkenc.Encoding` of tsdb/chunkenc/chunk.go); stored as one byte. */
export const Encoding = {
  xor: 1,
  histogram: 2,
  floatHistogram: 3,
  /** Read only: what Prometheus writes with `storage.tsdb.chunk_encoding.floats: xor2`. */
  xor2: 4,
} as const;
export type Encoding = (typeof Encoding)[keyof typeof Encoding];

/** A run of samples of one series. Times are of its first and last sample, both inclusive. */
export interface Chunk {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly encoding: Encoding;
  /** As chunkenc has them, the sample count in front. Valid until the source that gave the chunk moves on. */
  readonly bytes: Uint8Array;
}

/** A closed interval of times, as tombstones name what is deleted. */
export interface Interval {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
}
