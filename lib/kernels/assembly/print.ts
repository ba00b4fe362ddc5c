// Numbers as the answers of the HTTP API have them (Prometheus util/jsonutil), written as text. Twin: ../twins/print.ts.
// Whatever is written, up to 32 bytes behind it are written over.
import { digits, exponent, preparePowers, shorten } from './shortest';

const SIGN: u64 = 1 << 63;
const INFINITE: u64 = 0x7ff << 52;
/** Whole numbers below are exact. */
const MAX_WHOLE: f64 = 9_007_199_254_740_992;
const TEN_TO_8: u64 = 100_000_000;
const TEN_TO_15: u64 = 1_000_000_000_000_000;
const TEN_TO_16: u64 = 10_000_000_000_000_000;

/** `0`, and eight of them. */
const ZERO: u8 = 0x30;
const ZEROS: u64 = 0x3030303030303030;
const MINUS: u8 = 0x2d;
const PLUS: u8 = 0x2b;
const POINT: u8 = 0x2e;
const LETTER_E: u8 = 0x65;
/** `0.`, with more zeros than stand before the first digit of a number that has no exponent. */
const ZERO_POINT: u64 = 0x3030303030302e30;
const NAN: u32 = 0x4e614e;
const INF: u32 = 0x666e49;
/** `[`, `,"`, `"]` and `"],` of points. */
const BEFORE_TIME: u8 = 0x5b;
const BEFORE_VALUE: u16 = 0x222c;
const BEHIND_VALUE: u16 = 0x5d22;
const BETWEEN_POINTS: u32 = 0x2c5d22;

/** Numbers from 1e21 on and below 1e-6 have an exponent; these are how many digits stand before the point, for the last that have none. */
const MAX_BEFORE_POINT: i32 = 21;
const MIN_BEFORE_POINT: i32 = -5;

/** The digits of a number below 10^8 as bytes of 0 to 9, the first in the lowest. */
// @ts-ignore: decorator
@inline
function eightDigits(n: u64): u64 {
  // Fours of digits, then twos, then single ones side by side in a word; a division is a multiplication and a shift.
  const high = <u64>(<u32>n / 10_000);
  const fours = high | ((n - high * 10_000) << 32);
  const hundreds = ((fours * 10_486) >>> 20) & 0x0000007f0000007f;
  const twos = hundreds | ((fours - hundreds * 100) << 16);
  const tens = ((twos * 103) >>> 10) & 0x000f000f000f000f;
  return tens | ((twos - tens * 10) << 8);
}

/** Writes a whole number below 10^16. @returns the address behind it */
function printWhole(n: u64, at: usize): usize {
  if (n >= TEN_TO_8) {
    const high = n / TEN_TO_8;
    at = printWhole8(high, at);
    store<u64>(at, eightDigits(n - high * TEN_TO_8) | ZEROS);
    return at + 8;
  }
  return printWhole8(n, at);
}

// @ts-ignore: decorator
@inline
function printWhole8(n: u64, at: usize): usize {
  const bytes = eightDigits(n);
  // The last digit stays, be it 0.
  const leading = ctz<u64>(bytes | (1 << 56)) >>> 3;
  store<u64>(at, (bytes | ZEROS) >>> (leading << 3));
  return at + 8 - <usize>leading;
}

/** Writes a number as samples have it. @returns the address behind it */
export function printFloat(value: f64, at: usize): usize {
  const bits = reinterpret<u64>(value);
  if (abs(value) < MAX_WHOLE && trunc(value) == value) {
    if (bits & SIGN) store<u8>(at++, MINUS);
    return printWhole(<u64>(<i64>abs(value)), at);
  }
  if (value != value) {
    store<u32>(at, NAN);
    return at + 3;
  }
  const size = bits & ~SIGN;
  if (size == INFINITE) {
    store<u8>(at, bits & SIGN ? MINUS : PLUS);
    store<u32>(at, INF, 1);
    return at + 4;
  }
  if (bits & SIGN) store<u8>(at++, MINUS);
  preparePowers();
  shorten(size);
  return printDecimal(digits, exponent, at);
}

/** Writes n × 10^e, n of at most 17 digits. @returns the address behind it */
function printDecimal(n: u64, e: i32, at: usize): usize {
  // Seventeen digits, the first of them not 0; those that count are `length`.
  while (n < TEN_TO_15) {
    n *= 10;
    e--;
  }
  const isShort = n < TEN_TO_16;
  n = select<u64>(n * 10, n, isShort);
  const beforePoint = e + 17 - <i32>isShort;
  const nine = n / TEN_TO_8;
  const first = <u64>(<u32>nine / <u32>TEN_TO_8);
  const a = eightDigits(nine - first * TEN_TO_8);
  const b = eightDigits(n - nine * TEN_TO_8);
  const length: i32 = b != 0 ? 17 - <i32>(clz<u64>(b) >>> 3) : a != 0 ? 9 - <i32>(clz<u64>(a) >>> 3) : 1;
  const digit = <u64>ZERO + first;
  const second = a | ZEROS;
  const third = b | ZEROS;

  if (beforePoint > 0 && beforePoint <= MAX_BEFORE_POINT) {
    if (beforePoint < 8 && beforePoint < length) {
      // The digits behind the point are in place; the first eight bytes are those before it, the point, and digits again.
      store<u64>(at, second, 2);
      store<u64>(at, third, 10);
      const head = digit | (second << 8);
      const shift = <u64>(beforePoint << 3);
      const before: u64 = (1 << shift) - 1;
      store<u64>(at, (head & before) | (<u64>POINT << shift) | ((head & ~before) << 8));
      return at + <usize>(length + 1);
    }
    store<u8>(at, <u8>digit);
    store<u64>(at, second, 1);
    store<u64>(at, third, 9);
    store<u64>(at, ZEROS, 17);
    if (beforePoint >= length) return at + <usize>beforePoint;
    const point = at + <usize>beforePoint;
    memory.copy(point + 1, point, <usize>(length - beforePoint));
    store<u8>(point, POINT);
    return at + <usize>(length + 1);
  }
  if (beforePoint <= 0 && beforePoint >= MIN_BEFORE_POINT) {
    store<u64>(at, ZERO_POINT);
    at += <usize>(2 - beforePoint);
    store<u8>(at, <u8>digit);
    store<u64>(at, second, 1);
    store<u64>(at, third, 9);
    return at + <usize>length;
  }
  store<u8>(at, <u8>digit);
  store<u8>(at, POINT, 1);
  store<u64>(at, second, 2);
  store<u64>(at, third, 10);
  at += length > 1 ? <usize>(length + 1) : 1;
  store<u8>(at, LETTER_E);
  store<u8>(at, beforePoint > 0 ? PLUS : MINUS, 1);
  const size = <u32>abs(beforePoint - 1);
  at += 2;
  // Of two digits at least.
  if (size < 10) store<u8>(at++, ZERO);
  return printWhole8(size, at);
}

/** Times mostly lie near the one before: where its 10,000 s began, in ms, and the digits of that but for the last four. */
const NEAR_MS: u64 = 10_000_000;
let nearStart: u64 = 1 << 63;
let nearText: u64 = 0;
let nearLength: usize = 0;

/** Writes milliseconds as seconds, with three decimals where they are not whole. @returns the address behind it */
export function printTime(timeMs: f64, at: usize): usize {
  const ms = <u64>(<i64>timeMs);
  const passed = ms - nearStart;
  if (passed >= NEAR_MS) return printFarTime(timeMs, at);
  store<u64>(at, nearText);
  const seconds = <u32>passed / 1_000;
  store<u32>(at + nearLength, <u32>((eightDigits(seconds) | ZEROS) >>> 32));
  return printMilliseconds(<u32>passed - seconds * 1_000, at + nearLength + 4);
}

function printFarTime(timeMs: f64, at: usize): usize {
  if (timeMs < 0) store<u8>(at++, MINUS);
  const ms = <u64>(<i64>abs(timeMs));
  const seconds = ms / 1_000;
  const text = at;
  at = printWhole(seconds, at);
  const length = at - text - 4;
  if (timeMs > 0 && length > 0 && length <= 8) {
    nearStart = ms - (ms % NEAR_MS);
    nearText = load<u64>(text);
    nearLength = length;
  }
  return printMilliseconds(<u32>(ms - seconds * 1_000), at);
}

// @ts-ignore: decorator
@inline
function printMilliseconds(n: u32, at: usize): usize {
  if (n == 0) return at;
  store<u32>(at, <u32>(((eightDigits(n) | ZEROS) >>> 32) & 0xffffff00) | POINT);
  return at + 4;
}

/** Writes `[time,"value"]`. @returns the address behind it */
export function printPoint(timeMs: f64, value: f64, at: usize): usize {
  at = printFloat(value, printHead(timeMs, at));
  store<u16>(at, BEHIND_VALUE);
  return at + 2;
}

/** Writes `[time,"value"],` for each point of two columns. @returns the address behind them */
export function printPoints(times: usize, values: usize, count: u32, at: usize): usize {
  const end = values + (<usize>count << 3);
  let last: u64 = 0;
  let text: usize = 0;
  let length: usize = 0;
  while (values < end) {
    at = printHead(load<f64>(times), at);
    const bits = load<u64>(values);
    if (length > 0 && bits == last) {
      // Many series stand still. Both halves are loaded first: the texts may lie closer than 32 bytes.
      const first = v128.load(text);
      const second = v128.load(text, 16);
      v128.store(at, first);
      v128.store(at, second, 16);
    } else {
      length = printFloat(reinterpret<f64>(bits), at) - at;
      last = bits;
    }
    text = at;
    at += length;
    store<u32>(at, BETWEEN_POINTS);
    at += 3;
    times += 8;
    values += 8;
  }
  return at;
}

// @ts-ignore: decorator
@inline
function printHead(timeMs: f64, at: usize): usize {
  store<u8>(at, BEFORE_TIME);
  at = printTime(timeMs, at + 1);
  store<u16>(at, BEFORE_VALUE);
  return at + 2;
}
