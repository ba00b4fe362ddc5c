// Native histogram chunks, byte for byte those of Prometheus tsdb/chunkenc/{histogram,float_histogram}.go and
// histogram_meta.go. What lies where is in histogram-layout.ts. Twin: ../twins/histogram.ts.
//
// A bucket of an integer histogram is stored as the delta of the delta, over time, of its distance to the bucket before.
// Cells hold absolute counts: summed over the buckets, these are the deltas of the deltas of the counts.
import { exactBits, isStale, NO_WINDOW, writeBits, writeVarbit, writeVarbitUint, writeWide, writeXor } from './bits';
import {
  BUCKETS,
  cellsOf,
  COUNT,
  CUSTOM_BUCKETS_SCHEMA,
  HEADER_BITS,
  ROW_BUCKETS,
  ROW_COUNT,
  ROW_SUM,
  ROW_ZERO_COUNT,
  SUM,
  SUM_CELL,
  ZERO_COUNT,
} from './histogram-cells';
import {
  CELL_CHANGE,
  CELL_SIZE,
  CELL_VALUE,
  HISTOGRAM_BITS,
  HISTOGRAM_CELLS,
  HISTOGRAM_CHUNK,
  HISTOGRAM_CUSTOM_VALUES,
  HISTOGRAM_FLOAT,
  HISTOGRAM_NEGATIVE,
  HISTOGRAM_POSITIVE,
  HISTOGRAM_POSITIVE_SPANS,
  HISTOGRAM_SAMPLES,
  HISTOGRAM_SCHEMA,
  HISTOGRAM_TIME,
  HISTOGRAM_TIME_DELTA,
  HISTOGRAM_ZERO_THRESHOLD,
  LAYOUT_ENTRY_SIZE,
  ROW_CELLS,
  ROW_TIME,
  SPAN_LENGTH,
  SPAN_OFFSET,
} from './histogram-layout';

/** Largest custom bound that is stored in thousandths. */
const MAX_THOUSANDTHS: f64 = 33554430;

/**
 * Begins a chunk at `chunk` with the layout that lies in `layout`, described by `state`: what comes before HISTOGRAM_TIME
 * is set but for chunk, bits, end, samples and total. The chunk needs room for the header, the layout and 8 bytes.
 */
export function startHistograms(state: usize, chunk: usize, layout: usize): void {
  store<u32>(state, <u32>chunk, HISTOGRAM_CHUNK);
  store<u32>(state, 0, HISTOGRAM_SAMPLES);
  memory.fill(chunk, 0, 3);
  let position = writeZeroThreshold(chunk, HEADER_BITS, load<f64>(state, HISTOGRAM_ZERO_THRESHOLD));
  const schema = load<i32>(state, HISTOGRAM_SCHEMA);
  position = writeVarbit(chunk, position, <i64>schema);
  let entry = layout;
  for (let sign: usize = 0; sign < 2; sign++) {
    const spans = load<u32>(state + (sign << 2), HISTOGRAM_POSITIVE_SPANS);
    position = writeVarbitUint(chunk, position, <u64>spans);
    for (let i: u32 = 0; i < spans; i++) {
      position = writeVarbitUint(chunk, position, <u64>load<u32>(entry, SPAN_LENGTH));
      position = writeVarbit(chunk, position, <i64>load<i32>(entry, SPAN_OFFSET));
      entry += LAYOUT_ENTRY_SIZE;
    }
  }
  if (schema == CUSTOM_BUCKETS_SCHEMA) {
    const bounds = load<u32>(state, HISTOGRAM_CUSTOM_VALUES);
    position = writeVarbitUint(chunk, position, <u64>bounds);
    for (let i: u32 = 0; i < bounds; i++) {
      position = writeCustomBound(chunk, position, load<f64>(entry));
      entry += LAYOUT_ENTRY_SIZE;
    }
  }
  store<u32>(state, position, HISTOGRAM_BITS);
}

/** putZeroThreshold of histogram_meta.go: powers of two from 2^-243 to 2^10 take one byte. */
function writeZeroThreshold(chunk: usize, position: u32, threshold: f64): u32 {
  const bits = reinterpret<u64>(threshold);
  if (threshold == 0) return writeBits(chunk, position, 0, 8);
  const exponent = <i32>(bits >>> 52) - 1022;
  if ((bits & 0xfffffffffffff) == 0 && exponent >= -242 && exponent <= 11) {
    return writeBits(chunk, position, <u64>(exponent + 243), 8);
  }
  return writeWide(chunk, writeBits(chunk, position, 255, 8), bits, 64);
}

/** putCustomBound of histogram_meta.go: whole thousandths up to 33554.43 take up to 4 bytes. */
function writeCustomBound(chunk: usize, position: u32, bound: f64): u32 {
  const thousandths = bound * 1000;
  // Rounded half away from zero, as Go does; nothing here is negative.
  const whole = Math.floor(thousandths + 0.5);
  if (thousandths >= 0 && thousandths <= MAX_THOUSANDTHS && whole / 1000 == bound) {
    return writeVarbitUint(chunk, position, <u64>whole + 1);
  }
  return writeWide(chunk, writeBits(chunk, position, 0, 1), reinterpret<u64>(bound), 64);
}

/**
 * Appends a row to the chunk of `state`, which has the row's cells, and counts it in the chunk's header. In the row of a
 * stale marker all but time and sum are 0. There must be room for MAX_SAMPLE_FRAME_BYTES + MAX_CELL_BYTES × cells.
 */
export function appendHistogram(state: usize, row: usize): void {
  const chunk = <usize>load<u32>(state, HISTOGRAM_CHUNK);
  const samples = load<u32>(state, HISTOGRAM_SAMPLES);
  const isFloat = load<u32>(state, HISTOGRAM_FLOAT) != 0;
  const cells = cellsOf(state);
  const time = <i64>load<f64>(row, ROW_TIME);
  let position = load<u32>(state, HISTOGRAM_BITS);
  if (samples == 0) {
    position = writeVarbit(chunk, position, time);
    store<i64>(state, 0, HISTOGRAM_TIME_DELTA);
    position = isFloat ? writeFirstFloats(state, position, row, cells) : writeFirstIntegers(state, position, row);
  } else {
    const delta = time - load<i64>(state, HISTOGRAM_TIME);
    position = writeVarbit(chunk, position, delta - load<i64>(state, HISTOGRAM_TIME_DELTA));
    store<i64>(state, delta, HISTOGRAM_TIME_DELTA);
    position = isFloat ? writeFloats(state, position, row, cells) : writeIntegers(state, position, row);
  }
  store<i64>(state, time, HISTOGRAM_TIME);
  store<u32>(state, position, HISTOGRAM_BITS);
  store<u32>(state, samples + 1, HISTOGRAM_SAMPLES);
  store<u16>(chunk, bswap<u16>(<u16>(samples + 1)));
}

function writeFirstFloats(state: usize, position: u32, row: usize, cells: u32): u32 {
  const chunk = <usize>load<u32>(state, HISTOGRAM_CHUNK);
  for (let i: u32 = 0; i < cells; i++) {
    const cell = state + HISTOGRAM_CELLS + i * CELL_SIZE;
    const value = exactBits(load<u64>(row + (i << 3), ROW_CELLS));
    position = writeWide(chunk, position, value, 64);
    store<u64>(cell, value, CELL_VALUE);
    store<u8>(cell, NO_WINDOW, CELL_CHANGE);
  }
  return position;
}

function writeFloats(state: usize, position: u32, row: usize, cells: u32): u32 {
  const chunk = <usize>load<u32>(state, HISTOGRAM_CHUNK);
  for (let i: u32 = 0; i < cells; i++) {
    const cell = state + HISTOGRAM_CELLS + i * CELL_SIZE;
    const value = exactBits(load<u64>(row + (i << 3), ROW_CELLS));
    position = writeXor(chunk, position, value ^ load<u64>(cell, CELL_VALUE), cell + CELL_CHANGE);
    store<u64>(cell, value, CELL_VALUE);
    if (i == SUM_CELL && isStale(value)) break;
  }
  return position;
}

function writeFirstIntegers(state: usize, position: u32, row: usize): u32 {
  const chunk = <usize>load<u32>(state, HISTOGRAM_CHUNK);
  const count = <u64>load<f64>(row, ROW_COUNT);
  const zeroCount = <u64>load<f64>(row, ROW_ZERO_COUNT);
  const sum = exactBits(load<u64>(row, ROW_SUM));
  position = writeVarbitUint(chunk, position, count);
  position = writeVarbitUint(chunk, position, zeroCount);
  position = writeWide(chunk, position, sum, 64);
  store<u64>(state, count, COUNT);
  store<u64>(state + COUNT, 0, CELL_CHANGE);
  store<u64>(state, zeroCount, ZERO_COUNT);
  store<u64>(state + ZERO_COUNT, 0, CELL_CHANGE);
  store<u64>(state, sum, SUM);
  store<u8>(state + SUM, NO_WINDOW, CELL_CHANGE);

  let cell = state + BUCKETS;
  let from = row + ROW_BUCKETS;
  for (let sign: usize = 0; sign < 2; sign++) {
    let before: i64 = 0;
    for (let left = load<u32>(state + (sign << 2), HISTOGRAM_POSITIVE); left > 0; left--) {
      const value = <i64>load<f64>(from);
      position = writeVarbit(chunk, position, value - before);
      store<i64>(cell, value, CELL_VALUE);
      store<i64>(cell, 0, CELL_CHANGE);
      before = value;
      cell += CELL_SIZE;
      from += 8;
    }
  }
  return position;
}

function writeIntegers(state: usize, position: u32, row: usize): u32 {
  const chunk = <usize>load<u32>(state, HISTOGRAM_CHUNK);
  const sum = exactBits(load<u64>(row, ROW_SUM));
  const stale = isStale(sum);
  const countDod = turn(state + COUNT, <i64>load<f64>(row, ROW_COUNT));
  const zeroCountDod = turn(state + ZERO_COUNT, <i64>load<f64>(row, ROW_ZERO_COUNT));
  position = writeVarbit(chunk, position, stale ? 0 : countDod);
  position = writeVarbit(chunk, position, stale ? 0 : zeroCountDod);
  position = writeXor(chunk, position, sum ^ load<u64>(state, SUM), state + SUM + CELL_CHANGE);
  store<u64>(state, sum, SUM);
  if (stale) return position;

  let cell = state + BUCKETS;
  let from = row + ROW_BUCKETS;
  for (let sign: usize = 0; sign < 2; sign++) {
    let before: i64 = 0;
    for (let left = load<u32>(state + (sign << 2), HISTOGRAM_POSITIVE); left > 0; left--) {
      const dod = turn(cell, <i64>load<f64>(from));
      position = writeVarbit(chunk, position, dod - before);
      before = dod;
      cell += CELL_SIZE;
      from += 8;
    }
  }
  return position;
}

/** Gives an integer cell a new value. @returns how much its change changes */
// @ts-ignore: decorator
@inline
function turn(cell: usize, value: i64): i64 {
  const change = value - load<i64>(cell, CELL_VALUE);
  const dod = change - load<i64>(cell, CELL_CHANGE);
  store<i64>(cell, value, CELL_VALUE);
  store<i64>(cell, change, CELL_CHANGE);
  return dod;
}

/** Writes the newest sample of a chunk as a row. */
export function histogramValues(state: usize, row: usize): void {
  const isFloat = load<u32>(state, HISTOGRAM_FLOAT) != 0;
  const cells = cellsOf(state);
  store<f64>(row, <f64>load<i64>(state, HISTOGRAM_TIME), ROW_TIME);
  for (let i: u32 = 0; i < cells; i++) {
    const cell = state + HISTOGRAM_CELLS + i * CELL_SIZE;
    const out = row + (i << 3);
    if (isFloat || i == SUM_CELL) store<u64>(out, load<u64>(cell, CELL_VALUE), ROW_CELLS);
    else store<f64>(out, <f64>load<i64>(cell, CELL_VALUE), ROW_CELLS);
  }
}

/** Whether a bucket of `row`, which has the chunk's buckets, is smaller than in the newest sample: a counter reset. */
export function histogramDecreased(state: usize, row: usize): bool {
  const isFloat = load<u32>(state, HISTOGRAM_FLOAT) != 0;
  const buckets = load<u32>(state, HISTOGRAM_POSITIVE) + load<u32>(state, HISTOGRAM_NEGATIVE);
  for (let i: u32 = 0; i < buckets; i++) {
    const cell = state + BUCKETS + i * CELL_SIZE;
    const value = load<f64>(row + (i << 3), ROW_BUCKETS);
    if (isFloat ? load<f64>(cell, CELL_VALUE) > value : load<i64>(cell, CELL_VALUE) > <i64>value) return true;
  }
  return false;
}
