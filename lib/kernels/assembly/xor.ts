// XOR chunks, byte for byte those of Prometheus tsdb/chunkenc/xor.go, and the head's append path on series records
// (see layout.ts). Twin: ../twins/xor.ts.
import { exactBits, peek, peek64 } from './bits';
import {
  APPEND_DUPLICATE,
  APPEND_NEEDS_CHUNK,
  APPEND_NEEDS_ROOM,
  APPEND_OK,
  APPEND_OUT_OF_ORDER,
  APPEND_OUTCOME_BITS,
  APPEND_TOO_OLD,
  APPEND_UNKNOWN_REF,
  CHUNK_DATA,
  MAX_CHUNK_BYTES_BEFORE_APPEND,
  MAX_SAMPLE_BYTES,
  NO_XOR_WINDOW,
  OPEN_CHUNK_ENCODING,
  SAMPLES_PER_CHUNK,
  SERIES_CHUNK,
  SERIES_CHUNK_BITS,
  SERIES_CHUNK_CAPACITY,
  SERIES_CHUNK_MIN_TIME,
  SERIES_CHUNK_SAMPLES,
  SERIES_DELTA,
  SERIES_LABELS,
  SERIES_LAST_TIME,
  SERIES_LAST_VALUE,
  SERIES_LEADING,
  SERIES_NEXT_AT,
  SERIES_PAGE_BITS,
  SERIES_PAGE_COUNT,
  SERIES_SIZE,
  TALLY_COUNTS,
  TALLY_MAX_TIME,
  TALLY_MIN_TIME,
} from './layout';
import { writeSample } from './xor-encode';

// @ts-ignore: decorator
@inline
export function recordOf(directory: usize, pageCount: u32, ref: u32): usize {
  const page = ref >>> SERIES_PAGE_BITS;
  if (page >= pageCount) return 0;
  const base = <usize>load<u32>(directory + (page << 2));
  if (base == 0) return 0;
  const record = base + <usize>((ref & (SERIES_PAGE_COUNT - 1)) * SERIES_SIZE);
  return load<u32>(record, SERIES_LABELS) == 0 ? 0 : record;
}

/** computeChunkEndTime of tsdb/head_append.go at a quarter of the wanted samples. */
function chunkEnd(start: i64, current: i64, end: i64): i64 {
  const chunks = <f64>(end - start) / (<f64>(current - start + 1) * 4);
  if (chunks <= 1) return end;
  return <i64>(<f64>start + <f64>(end - start) / Math.floor(chunks));
}

/** Appends one sample to the open chunk of a series. @returns APPEND_… */
function appendSample(record: usize, time: i64, value: u64): u32 {
  const lastTime = load<i64>(record, SERIES_LAST_TIME);
  const lastValue = load<u64>(record, SERIES_LAST_VALUE);
  if (time <= lastTime) {
    if (time < lastTime) return APPEND_OUT_OF_ORDER;
    return value == lastValue ? APPEND_OK : APPEND_DUPLICATE;
  }
  const block = <usize>load<u32>(record, SERIES_CHUNK);
  if (block == 0) return APPEND_NEEDS_CHUNK;
  const leading = <u32>load<u8>(record, SERIES_LEADING);
  // A chunk of histograms takes no float.
  if (leading >= <u32>OPEN_CHUNK_ENCODING && leading != NO_XOR_WINDOW) return APPEND_NEEDS_CHUNK;
  let position = load<u32>(record, SERIES_CHUNK_BITS);
  const bytes = (position + 7) >>> 3;
  const samples = <u32>load<u16>(record, SERIES_CHUNK_SAMPLES);
  if (bytes > <u32>MAX_CHUNK_BYTES_BEFORE_APPEND) return APPEND_NEEDS_CHUNK;
  // Before the end is estimated: that must happen once per chunk.
  if (bytes + MAX_SAMPLE_BYTES > load<u32>(record, SERIES_CHUNK_CAPACITY)) return APPEND_NEEDS_ROOM;
  if (samples > 0) {
    let nextAt = load<i64>(record, SERIES_NEXT_AT);
    if (samples == SAMPLES_PER_CHUNK / 4) {
      nextAt = chunkEnd(load<i64>(record, SERIES_CHUNK_MIN_TIME), lastTime, nextAt);
      store<i64>(record, nextAt, SERIES_NEXT_AT);
    }
    if (time >= nextAt || samples >= <u32>(SAMPLES_PER_CHUNK * 2)) return APPEND_NEEDS_CHUNK;
  }

  const data = block + CHUNK_DATA;
  const delta = samples == 0 ? 0 : time - lastTime;
  const lastDelta = load<i64>(record, SERIES_DELTA);
  const window = record + SERIES_LEADING;
  position = writeSample(data, position, samples, time, delta, lastDelta, value, lastValue, window);
  store<u16>(data, bswap<u16>(<u16>(samples + 1)));
  store<i64>(record, time, SERIES_LAST_TIME);
  store<u64>(record, value, SERIES_LAST_VALUE);
  store<i64>(record, delta, SERIES_DELTA);
  store<u32>(record, position, SERIES_CHUNK_BITS);
  store<u16>(record, <u16>(samples + 1), SERIES_CHUNK_SAMPLES);
  return APPEND_OK;
}

/** Puts `tally` back to nothing done. */
function resetTally(tally: usize): void {
  memory.fill(tally, 0, TALLY_MIN_TIME);
  store<f64>(tally, Infinity, TALLY_MIN_TIME);
  store<f64>(tally, -Infinity, TALLY_MAX_TIME);
}

// @ts-ignore: decorator
@inline
function count(tally: usize, outcome: u32): void {
  const at = tally + TALLY_COUNTS + (outcome << 2);
  store<u32>(at, load<u32>(at) + 1);
}

/**
 * Checks a scrape against the head (`memSeries.appendable` of tsdb/head_append.go) without changing it, and copies what
 * will be stored to the three output columns. Ref 0 is skipped; an exact repeat of the newest sample is OK and not copied.
 * `results[i]` becomes the outcome. @returns how many were copied
 */
export function stageSamples(
  directory: usize,
  pageCount: u32,
  refs: usize,
  values: usize,
  sampleCount: u32,
  timeMs: f64,
  minValidMs: f64,
  results: usize,
  outRefs: usize,
  outTimes: usize,
  outValues: usize,
  tally: usize,
): u32 {
  resetTally(tally);
  const time = <i64>timeMs;
  const tooOld = timeMs < minValidMs;
  let staged: u32 = 0;
  for (let i: u32 = 0; i < sampleCount; i++) {
    const ref = load<u32>(refs + (i << 2));
    let outcome: u32 = APPEND_OK;
    if (ref != 0) {
      const record = recordOf(directory, pageCount, ref);
      if (record == 0) {
        outcome = APPEND_UNKNOWN_REF;
      } else if (tooOld) {
        outcome = APPEND_TOO_OLD;
      } else {
        const value = exactBits(load<u64>(values + (i << 3)));
        const lastTime = load<i64>(record, SERIES_LAST_TIME);
        if (time > lastTime) {
          store<u32>(outRefs + (staged << 2), ref);
          store<f64>(outTimes + (staged << 3), timeMs);
          store<u64>(outValues + (staged << 3), value);
          staged++;
        } else if (time < lastTime) {
          outcome = APPEND_OUT_OF_ORDER;
        } else if (value != load<u64>(record, SERIES_LAST_VALUE)) {
          outcome = APPEND_DUPLICATE;
        }
      }
    }
    count(tally, outcome);
    store<u8>(results + i, <u8>outcome);
  }
  return staged;
}

/**
 * Appends samples `from`..`sampleCount` of three columns to their series' open chunks, adding to `tally`. Samples that do not fit the order of
 * their series are counted and passed over.
 * @returns `sampleCount << 3` when through, else `index << 3 | outcome`: the caller makes room (APPEND_NEEDS_ROOM), starts a
 *   chunk (APPEND_NEEDS_CHUNK) or resolves the ref (APPEND_UNKNOWN_REF), and calls again from `index`
 */
export function appendBatch(
  directory: usize,
  pageCount: u32,
  refs: usize,
  times: usize,
  values: usize,
  from: u32,
  sampleCount: u32,
  tally: usize,
): u32 {
  let minTime = load<f64>(tally, TALLY_MIN_TIME);
  let maxTime = load<f64>(tally, TALLY_MAX_TIME);
  let i = from;
  let stop: u32 = 0;
  for (; i < sampleCount; i++) {
    const record = recordOf(directory, pageCount, load<u32>(refs + (i << 2)));
    if (record == 0) {
      stop = APPEND_UNKNOWN_REF;
      break;
    }
    const time = load<f64>(times + (i << 3));
    const outcome = appendSample(record, <i64>time, exactBits(load<u64>(values + (i << 3))));
    if (outcome >= <u32>APPEND_UNKNOWN_REF) {
      stop = outcome;
      break;
    }
    count(tally, outcome);
    if (outcome == APPEND_OK) {
      if (time < minTime) minTime = time;
      if (time > maxTime) maxTime = time;
    }
  }
  store<f64>(tally, minTime, TALLY_MIN_TIME);
  store<f64>(tally, maxTime, TALLY_MAX_TIME);
  return (i << APPEND_OUTCOME_BITS) | stop;
}

/**
 * Decodes a whole chunk of `length` bytes (header included) into two columns: f64 ms and f64 bits. Reads up to 24 bytes
 * behind the chunk, which must lie in the memory. `capacity` is the room of the columns, in samples.
 * @returns the number of samples, or -1 when the bytes are no such chunk (too short, too many samples for the columns)
 */
export function decodeXor(chunk: usize, length: u32, times: usize, values: usize, capacity: u32): i32 {
  return decodeXorWithin(chunk, length, -Infinity, Infinity, times, values, capacity);
}

/** As `decodeXor`, only samples within [minMs, maxMs]; what lies behind the first later one is not looked at. */
export function decodeXorWithin(
  chunk: usize,
  length: u32,
  minMs: f64,
  maxMs: f64,
  times: usize,
  values: usize,
  capacity: u32,
): i32 {
  const minTime = <i64>Math.ceil(minMs);
  const maxTime = <i64>Math.floor(maxMs);
  if (length < 2) return -1;
  const total = <u32>bswap<u16>(load<u16>(chunk));
  if (total == 0) return 0;
  if (total > capacity) return -1;
  const end = chunk + length;
  let at = chunk + 2;

  // The first time and value are byte-aligned.
  let zigzag: u64 = 0;
  let shift: u64 = 0;
  while (true) {
    if (at >= end || shift > 63) return -1;
    const byte = <u64>load<u8>(at++);
    zigzag |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
    shift += 7;
  }
  let time = <i64>(zigzag >>> 1) ^ -(<i64>(zigzag & 1));
  if (at + 8 > end) return -1;
  let value = bswap<u64>(load<u64>(at));
  at += 8;
  if (time > maxTime) return 0;
  store<f64>(times, <f64>time);
  store<u64>(values, value);
  // Where the next goes: over one that is too old.
  let kept = <u32>(time >= minTime);
  if (total == 1) return kept;

  // The second time is a byte-aligned delta.
  let delta: i64 = 0;
  shift = 0;
  while (true) {
    if (at >= end || shift > 63) return -1;
    const byte = <u64>load<u8>(at++);
    delta |= <i64>((byte & 0x7f) << shift);
    if (byte < 0x80) break;
    shift += 7;
  }

  // Bits from the chunk's start. Most samples need one word of the stream, which has their next 57 bits: time as
  // expected, then an unchanged value, or what of it changed. (Keeping what is left of the word for the next sample, to be
  // refilled, takes more steps: 6.5 ns a sample in place of 5.)
  let position = <u32>(at - chunk) << 3;
  const endPosition = length << 3;
  let trailing: u32 = 0;
  let significant: u32 = 64;
  for (let i: u32 = 1; i < total; i++) {
    if (position > endPosition) return -1;
    let word = peek(chunk, position);
    if (i > 1) {
      if (word >>> 62 == 0) {
        // As expected and unchanged, which most samples of most series are: two bits each, and 1 ns in place of 4.
        let same = <u32>clz<u64>(word) >>> 1;
        if (same > 28) same = 28;
        if (same > total - i) same = total - i;
        position += same << 1;
        for (i += same; same > 0; same--) {
          time += delta;
          if (time > maxTime) break;
          store<f64>(times + (kept << 3), <f64>time);
          store<u64>(values + (kept << 3), value);
          kept += <u32>(time >= minTime);
        }
        i--;
        if (same > 0) break;
        continue;
      }
      if (<i64>word >= 0) {
        word <<= 1;
        position += 1;
      } else {
        const ones = <u32>clz<u64>(~word);
        if (ones < 4) {
          // 10 → 14 bits, 110 → 17, 1110 → 20; two's complement but for the smallest value, which means the largest.
          const size = 11 + 3 * ones;
          const raw = <i64>((word << (<u64>(ones + 1))) >>> (<u64>(64 - size)));
          delta += raw > <i64>1 << (<i64>(size - 1)) ? raw - (<i64>1 << (<i64>size)) : raw;
          position += ones + 1 + size;
        } else {
          delta += <i64>peek64(chunk, position + 4);
          position += 68;
        }
        word = peek(chunk, position);
      }
    }
    time += delta;
    if (time > maxTime) break;
    if (<i64>word >= 0) {
      position += 1;
    } else {
      let control: u32 = 2;
      if (word & (<u64>1 << 62)) {
        const leading = <u32>(word >>> 57) & 31;
        significant = <u32>(word >>> 51) & 63;
        if (significant == 0) significant = 64;
        if (leading + significant > 64) return -1;
        trailing = 64 - leading - significant;
        control = 13;
      }
      position += control;
      // 57 bits less the one of the time.
      const changed = control + significant <= 56 ? word << (<u64>control) : peek64(chunk, position);
      value ^= (changed >>> (<u64>(64 - significant))) << (<u64>trailing);
      position += significant;
    }
    store<f64>(times + (kept << 3), <f64>time);
    store<u64>(values + (kept << 3), value);
    kept += <u32>(time >= minTime);
  }
  return position > endPosition ? -1 : <i32>kept;
}
