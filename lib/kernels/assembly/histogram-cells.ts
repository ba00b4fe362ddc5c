// What lies where in the state and the rows of histogram kernels, beside histogram-layout.ts which TypeScript shares.
import {
  CELL_SIZE,
  HISTOGRAM_CELLS,
  HISTOGRAM_NEGATIVE,
  HISTOGRAM_POSITIVE,
  PLAIN_CELLS,
  ROW_CELLS,
} from './histogram-layout';

/** Of a chunk. */
export const HEADER_BITS: u32 = 24;
export const CUSTOM_BUCKETS_SCHEMA: i32 = -53;

// Cells of the numbers that are no buckets, and their places in a row.
export const COUNT: usize = HISTOGRAM_CELLS;
export const ZERO_COUNT: usize = HISTOGRAM_CELLS + CELL_SIZE;
export const SUM: usize = HISTOGRAM_CELLS + 2 * CELL_SIZE;
export const SUM_CELL: u32 = 2;
export const BUCKETS: usize = HISTOGRAM_CELLS + PLAIN_CELLS * CELL_SIZE;
export const ROW_COUNT: usize = ROW_CELLS;
export const ROW_ZERO_COUNT: usize = ROW_CELLS + 8;
export const ROW_SUM: usize = ROW_CELLS + 16;
export const ROW_BUCKETS: usize = ROW_CELLS + PLAIN_CELLS * 8;

// @ts-ignore: decorator
@inline
export function cellsOf(state: usize): u32 {
  return <u32>PLAIN_CELLS + load<u32>(state, HISTOGRAM_POSITIVE) + load<u32>(state, HISTOGRAM_NEGATIVE);
}
