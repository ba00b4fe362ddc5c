// Reads native histogram chunks: histogram-write.ts says what they are; of the variants with start times (…_st.go) too, start
// times passed over. Twin: ../twins/histogram.ts.
import { isStale, NO_WINDOW, peek64, readVarbit, readVarbitUint, readVarint, readXor } from './bits';
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
  HISTOGRAM_END,
  HISTOGRAM_FLOAT,
  HISTOGRAM_HEADER,
  HISTOGRAM_POSITIVE,
  HISTOGRAM_POSITIVE_SPANS,
  HISTOGRAM_SAMPLES,
  HISTOGRAM_SCHEMA,
  HISTOGRAM_SCRATCH,
  HISTOGRAM_STARTS,
  HISTOGRAM_TIME,
  HISTOGRAM_TIME_DELTA,
  HISTOGRAM_TOTAL,
  HISTOGRAM_ZERO_THRESHOLD,
  LAYOUT_ENTRY_SIZE,
  MAX_BUCKETS,
  MAX_LAYOUT_ENTRIES,
  OPEN_DAMAGED,
  OPEN_NEEDS_ROOM,
  OPEN_TOO_LARGE,
  ROW_CELLS,
  ROW_TIME,
  SPAN_LENGTH,
  SPAN_OFFSET,
} from './histogram-layout';

/** chunkenc.Encoding of the chunks whose counts are floats, and of the first with start times. */
const FLOAT_HISTOGRAM: u32 = 3;
const HISTOGRAM_ST: u32 = 5;
const FLOAT_HISTOGRAM_ST: u32 = 6;

/**
 * Begins to read a chunk of `length` bytes, header included, and reads its layout to `layout`, which has room for `capacity`
 * entries. Reads up to 64 bytes behind the chunk, which must lie in the memory. Of `state` the part before the cells.
 * @returns 0, or OPEN_…
 */
export function openHistograms(
  chunk: usize,
  length: u32,
  encoding: u32,
  state: usize,
  layout: usize,
  capacity: u32,
): i32 {
  memory.fill(state, 0, HISTOGRAM_CELLS);
  if (length << 3 < HEADER_BITS) return OPEN_DAMAGED;
  const end = length << 3;
  const counts = <u32>bswap<u16>(load<u16>(chunk));
  const flags = load<u8>(chunk, 2);
  const withStarts = encoding >= HISTOGRAM_ST;
  store<u32>(state, <u32>chunk, HISTOGRAM_CHUNK);
  store<u32>(state, end, HISTOGRAM_END);
  store<u32>(state, withStarts ? counts & 0x3fff : counts, HISTOGRAM_TOTAL);
  store<u32>(state, encoding == FLOAT_HISTOGRAM || encoding == FLOAT_HISTOGRAM_ST ? 1 : 0, HISTOGRAM_FLOAT);
  store<u8>(state, withStarts ? <u8>(counts >>> 8) & 0xc0 : flags & 0xc0, HISTOGRAM_HEADER);
  store<u8>(state, withStarts ? flags : 0, HISTOGRAM_STARTS);
  if (load<u32>(state, HISTOGRAM_TOTAL) == 0) return 0;

  const scratch = state + HISTOGRAM_SCRATCH;
  let position = HEADER_BITS;
  const threshold = <u32>(peek64(chunk, position) >>> 56);
  position += 8;
  if (threshold == 255) {
    store<u64>(state, peek64(chunk, position), HISTOGRAM_ZERO_THRESHOLD);
    position += 64;
  } else if (threshold > 0) {
    // 0.5 × 2^(threshold - 243)
    store<u64>(state, (<u64>(threshold - 244 + 1023)) << 52, HISTOGRAM_ZERO_THRESHOLD);
  }
  position = readVarbit(chunk, position, scratch);
  const schema = load<i64>(scratch);
  if (position > end || schema != <i64>(<i32>schema)) return OPEN_DAMAGED;
  store<i32>(state, <i32>schema, HISTOGRAM_SCHEMA);

  let entries: u32 = 0;
  let buckets: u64 = 0;
  for (let sign: u32 = 0; sign < 2; sign++) {
    position = readVarbitUint(chunk, position, scratch);
    const spans = load<u64>(scratch);
    if (position > end) return OPEN_DAMAGED;
    if (spans > <u64>MAX_LAYOUT_ENTRIES - entries) return OPEN_TOO_LARGE;
    if (entries + <u32>spans > capacity) return OPEN_NEEDS_ROOM;
    const bucketsBefore = buckets;
    for (let i: u32 = 0; i < <u32>spans; i++) {
      const entry = layout + entries++ * LAYOUT_ENTRY_SIZE;
      position = readVarbitUint(chunk, position, scratch);
      if (position > end) return OPEN_DAMAGED;
      const spanLength = load<u64>(scratch);
      if (spanLength > <u64>MAX_BUCKETS) return OPEN_TOO_LARGE;
      buckets += spanLength;
      if (buckets > <u64>MAX_BUCKETS) return OPEN_TOO_LARGE;
      position = readVarbit(chunk, position, scratch);
      if (position > end) return OPEN_DAMAGED;
      const offset = load<i64>(scratch);
      // Only the first bucket of all may lie below 0; a span never goes back.
      if (offset != <i64>(<i32>offset) || (offset < 0 && i > 0)) return OPEN_DAMAGED;
      store<u32>(entry, <u32>spanLength, SPAN_LENGTH);
      store<i32>(entry, <i32>offset, SPAN_OFFSET);
    }
    store<u32>(state + (sign << 2), <u32>spans, HISTOGRAM_POSITIVE_SPANS);
    store<u32>(state + (sign << 2), <u32>(buckets - bucketsBefore), HISTOGRAM_POSITIVE);
  }
  if (<i32>schema == CUSTOM_BUCKETS_SCHEMA) {
    position = readVarbitUint(chunk, position, scratch);
    const bounds = load<u64>(scratch);
    if (position > end) return OPEN_DAMAGED;
    if (bounds > <u64>MAX_LAYOUT_ENTRIES - entries) return OPEN_TOO_LARGE;
    if (entries + <u32>bounds > capacity) return OPEN_NEEDS_ROOM;
    store<u32>(state, <u32>bounds, HISTOGRAM_CUSTOM_VALUES);
    for (let i: u32 = 0; i < <u32>bounds; i++) {
      const entry = layout + entries++ * LAYOUT_ENTRY_SIZE;
      position = readVarbitUint(chunk, position, scratch);
      const thousandths = load<u64>(scratch);
      if (thousandths == 0) {
        store<u64>(entry, peek64(chunk, position));
        position += 64;
      } else {
        store<f64>(entry, <f64>(thousandths - 1) / 1000);
      }
      if (position > end) return OPEN_DAMAGED;
    }
  }
  store<u32>(state, position, HISTOGRAM_BITS);
  return 0;
}

/**
 * Reads the next samples of the chunk `state` was opened for, and has cells for, into rows; none before `minMs`. In the row
 * of a stale marker only time and sum have a meaning.
 * @returns how many: less than `capacity` when the chunk is at its end; -1 when it is damaged
 */
export function decodeHistograms(state: usize, minMs: f64, rows: usize, capacity: u32): i32 {
  const chunk = <usize>load<u32>(state, HISTOGRAM_CHUNK);
  const end = load<u32>(state, HISTOGRAM_END);
  const total = load<u32>(state, HISTOGRAM_TOTAL);
  const isFloat = load<u32>(state, HISTOGRAM_FLOAT) != 0;
  const starts = <u32>load<u8>(state, HISTOGRAM_STARTS);
  const startsFrom = starts & 0x7f;
  const cells = cellsOf(state);
  const stride = ROW_CELLS + (cells << 3);
  let position = load<u32>(state, HISTOGRAM_BITS);
  let sample = load<u32>(state, HISTOGRAM_SAMPLES);
  let row = rows;
  let count: u32 = 0;
  for (; sample < total && count < capacity; sample++) {
    if (sample == 0) {
      position = isFloat ? readFirstFloats(state, position, row, cells) : readFirstIntegers(state, position, row);
    } else {
      position = readVarbit(chunk, position, state + HISTOGRAM_SCRATCH);
      const delta = load<i64>(state, HISTOGRAM_TIME_DELTA) + load<i64>(state, HISTOGRAM_SCRATCH);
      store<i64>(state, delta, HISTOGRAM_TIME_DELTA);
      store<i64>(state, load<i64>(state, HISTOGRAM_TIME) + delta, HISTOGRAM_TIME);
      position = isFloat ? readFloats(state, position, row, cells) : readIntegers(state, position, row);
    }
    if (position > end) return -1;
    if (sample == 0 ? (starts & 0x80) != 0 : startsFrom > 0 && sample >= startsFrom) {
      const scratch = state + HISTOGRAM_SCRATCH;
      position = sample == 0 ? readVarint(chunk, position, scratch) : readVarbit(chunk, position, scratch);
      if (position > end) return -1;
    }
    const time = <f64>load<i64>(state, HISTOGRAM_TIME);
    if (count > 0 || time >= minMs) {
      store<f64>(row, time, ROW_TIME);
      row += stride;
      count++;
    }
  }
  store<u32>(state, position, HISTOGRAM_BITS);
  store<u32>(state, sample, HISTOGRAM_SAMPLES);
  return count;
}

function readFirstFloats(state: usize, position: u32, row: usize, cells: u32): u32 {
  const chunk = <usize>load<u32>(state, HISTOGRAM_CHUNK);
  const end = load<u32>(state, HISTOGRAM_END);
  position = readVarbit(chunk, position, state + HISTOGRAM_TIME);
  for (let i: u32 = 0; i < cells; i++) {
    if (position > end) return position;
    const cell = state + HISTOGRAM_CELLS + i * CELL_SIZE;
    const value = peek64(chunk, position);
    position += 64;
    store<u64>(cell, value, CELL_VALUE);
    store<u8>(cell, NO_WINDOW, CELL_CHANGE);
    store<u64>(row + (i << 3), value, ROW_CELLS);
  }
  return position;
}

function readFloats(state: usize, position: u32, row: usize, cells: u32): u32 {
  const chunk = <usize>load<u32>(state, HISTOGRAM_CHUNK);
  const end = load<u32>(state, HISTOGRAM_END);
  for (let i: u32 = 0; i < cells; i++) {
    if (position > end) return position;
    const cell = state + HISTOGRAM_CELLS + i * CELL_SIZE;
    position = readXor(chunk, position, cell + CELL_VALUE, cell + CELL_CHANGE);
    const value = load<u64>(cell, CELL_VALUE);
    store<u64>(row + (i << 3), value, ROW_CELLS);
    if (i == SUM_CELL && isStale(value)) break;
  }
  return position;
}

function readFirstIntegers(state: usize, position: u32, row: usize): u32 {
  const chunk = <usize>load<u32>(state, HISTOGRAM_CHUNK);
  position = readVarbit(chunk, position, state + HISTOGRAM_TIME);
  position = readVarbitUint(chunk, position, state + COUNT);
  position = readVarbitUint(chunk, position, state + ZERO_COUNT);
  const sum = peek64(chunk, position);
  position += 64;
  store<u64>(state, sum, SUM);
  store<u8>(state + SUM, NO_WINDOW, CELL_CHANGE);
  store<u64>(state + COUNT, 0, CELL_CHANGE);
  store<u64>(state + ZERO_COUNT, 0, CELL_CHANGE);
  store<f64>(row, <f64>load<u64>(state, COUNT), ROW_COUNT);
  store<f64>(row, <f64>load<u64>(state, ZERO_COUNT), ROW_ZERO_COUNT);
  store<u64>(row, sum, ROW_SUM);

  const scratch = state + HISTOGRAM_SCRATCH;
  const end = load<u32>(state, HISTOGRAM_END);
  let cell = state + BUCKETS;
  let out = row + ROW_BUCKETS;
  for (let sign: usize = 0; sign < 2; sign++) {
    let value: i64 = 0;
    for (let left = load<u32>(state + (sign << 2), HISTOGRAM_POSITIVE); left > 0; left--) {
      if (position > end) return position;
      position = readVarbit(chunk, position, scratch);
      value += load<i64>(scratch);
      store<i64>(cell, value, CELL_VALUE);
      store<i64>(cell, 0, CELL_CHANGE);
      store<f64>(out, <f64>value);
      cell += CELL_SIZE;
      out += 8;
    }
  }
  return position;
}

function readIntegers(state: usize, position: u32, row: usize): u32 {
  const chunk = <usize>load<u32>(state, HISTOGRAM_CHUNK);
  const scratch = state + HISTOGRAM_SCRATCH;
  position = readVarbit(chunk, position, scratch);
  store<f64>(row, <f64>(<u64>advance(state + COUNT, load<i64>(scratch))), ROW_COUNT);
  position = readVarbit(chunk, position, scratch);
  store<f64>(row, <f64>(<u64>advance(state + ZERO_COUNT, load<i64>(scratch))), ROW_ZERO_COUNT);
  position = readXor(chunk, position, state + SUM, state + SUM + CELL_CHANGE);
  const sum = load<u64>(state, SUM);
  store<u64>(row, sum, ROW_SUM);
  if (isStale(sum)) return position;

  const end = load<u32>(state, HISTOGRAM_END);
  let cell = state + BUCKETS;
  let out = row + ROW_BUCKETS;
  for (let sign: usize = 0; sign < 2; sign++) {
    let dod: i64 = 0;
    for (let left = load<u32>(state + (sign << 2), HISTOGRAM_POSITIVE); left > 0; left--) {
      if (position > end) return position;
      position = readVarbit(chunk, position, scratch);
      dod += load<i64>(scratch);
      store<f64>(out, <f64>advance(cell, dod));
      cell += CELL_SIZE;
      out += 8;
    }
  }
  return position;
}

/** Moves an integer cell on by what its change changes. @returns its value */
// @ts-ignore: decorator
@inline
function advance(cell: usize, dod: i64): i64 {
  const change = load<i64>(cell, CELL_CHANGE) + dod;
  const value = load<i64>(cell, CELL_VALUE) + change;
  store<i64>(cell, change, CELL_CHANGE);
  store<i64>(cell, value, CELL_VALUE);
  return value;
}

