// How the out-of-order samples of the head lie in the arena, where readers on any thread find them: a column (ref-column.ts)
// leads from a ref to a record, which only series with out-of-order samples have.
//
//     record ─┬▶ samples of the open chunk, by time, not encoded
//             └▶ newest completed chunk ─▶ older ─▶ … ─▶ 0          (chunk-block.ts)

/** u32 address of the open chunk's samples; 0 while there is none. */
export const OOO_SAMPLES = 0;
/** u32: how many, and how many the block has room for. */
export const OOO_COUNT = 4;
export const OOO_CAPACITY = 8;
/** u32 address of the newest completed chunk's block; 0 = none. Newest by completion: in time they may overlap. */
export const OOO_CHUNKS = 12;
export const OOO_RECORD_SIZE = 16;

/**
 * Bytes of a sample in a block of `capacity`: f64 ms × capacity, f64 value × capacity, u32 × capacity. The last is 0, or the
 * address of a chunk block that holds the sample, a histogram, as a chunk of one.
 */
export const OOO_SAMPLE_SIZE = 20;

/** Indexes of the columns' first entries in `f64`, `f64` and `u32`. */
export function timesAt(samples: number): number {
  return samples / 8;
}

export function valuesAt(samples: number, capacity: number): number {
  return samples / 8 + capacity;
}

export function histogramsAt(samples: number, capacity: number): number {
  return (samples + 16 * capacity) / 4;
}
