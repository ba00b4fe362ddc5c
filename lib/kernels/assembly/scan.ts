// Walk of a known exposition page: compare each line with the one remembered, parse the number, store value and ref.
// Layout: ./scan-layout.ts. Twin: ../twins/scan.ts.
import {
  KIND_COMMENT,
  KIND_SERIES,
  KIND_SHIFT,
  KIND_TYPE,
  RECORD_BYTES,
  RECORD_HASH,
  RECORD_REF,
  RECORD_SEEN,
  RECORD_SIZE,
  SIZE_MASK,
  STATE_COUNT,
  STATE_END,
  STATE_POSITION,
  STATE_RECORD,
  STATE_RECORDS_END,
  STATE_REFS,
  STATE_SCRAPE,
  STATE_SCRAPED,
  STATE_SEED,
  STATE_TYPE,
  STATE_VALUES,
} from './scan-layout';

const LF: u32 = 0x0a;
const TAB: u32 = 0x09;
const SPACE: u32 = 0x20;

// Odd constants of the hash (from the fraction of the golden ratio and of pi).
const K0: u64 = 0x9e3779b97f4a7c15;
const K1: u64 = 0x243f6a8885a308d3;

// The two halves of the last hash.
let hashLow: u64 = 0;
let hashHigh: u64 = 0;

/**
 * A 128-bit hash of `length` bytes at `at`. Every 16-byte step is a bijection of the state, so lines that differ in one
 * step never collide; others do with a chance near 2^-64 and below. Reads no byte outside the range.
 */
function hashBytes(seed: usize, at: usize, length: u32): void {
  let a = load<u64>(seed, STATE_SEED) ^ (<u64>length * K0);
  let b = load<u64>(seed, STATE_SEED + 8);
  let u: u64;
  let v: u64;
  if (length >= 16) {
    const last = at + length - 16;
    while (at < last) {
      u = rotl<u64>((a ^ load<u64>(at)) * K0, 27);
      v = rotl<u64>((b ^ load<u64>(at, 8)) * K1, 31);
      a = v;
      b = u + v;
      at += 16;
    }
    u = load<u64>(last);
    v = load<u64>(last, 8);
  } else if (length >= 8) {
    u = load<u64>(at);
    v = load<u64>(at + length - 8);
  } else if (length >= 4) {
    u = load<u32>(at);
    v = load<u32>(at + length - 4);
  } else {
    u = 0;
    v = 0;
    for (let i: u32 = 0; i < length; i++) u = (u << 8) | load<u8>(at + i);
  }
  u = rotl<u64>((a ^ u) * K0, 27);
  v = rotl<u64>((b ^ v) * K1, 31);
  hashLow = v;
  hashHigh = u + v;
}

/** Writes the 16-byte hash of a line under the seed of `state` to `out`. */
export function hashLine(state: usize, at: usize, length: u32, out: usize): void {
  hashBytes(state, at, length);
  store<u64>(out, hashLow);
  store<u64>(out, hashHigh, 8);
}

/**
 * Walks from STATE_POSITION until the end of the page or a line it cannot take: not the one remembered, seen before in
 * this scrape, with a timestamp, or with a number outside `parseNumber`.
 * @returns 1 at the end, 0 at such a line (STATE_POSITION is its start)
 */
export function scanPage(state: usize): u32 {
  let at: usize = load<u32>(state, STATE_POSITION);
  const end: usize = load<u32>(state, STATE_END);
  let record: usize = load<u32>(state, STATE_RECORD);
  const recordsEnd: usize = load<u32>(state, STATE_RECORDS_END);
  const refs: usize = load<u32>(state, STATE_REFS);
  const values: usize = load<u32>(state, STATE_VALUES);
  const scrape = load<u32>(state, STATE_SCRAPE);
  let count = load<u32>(state, STATE_COUNT);
  let scraped = load<u32>(state, STATE_SCRAPED);
  let type = load<u32>(state, STATE_TYPE);
  // RECORD_SEEN and RECORD_LIVE in one store.
  const mark = (<u64>scrape) | ((<u64>1) << 32);

  while (at < end) {
    if (load<u8>(at) == LF) {
      at++;
      continue;
    }
    if (record >= recordsEnd) break;
    const sizeAndKind = load<u32>(record, RECORD_SIZE);
    const next = at + (sizeAndKind & SIZE_MASK);
    if (next >= end) break;
    hashBytes(state, at, sizeAndKind & SIZE_MASK);
    if (hashLow != load<u64>(record, RECORD_HASH) || hashHigh != load<u64>(record, RECORD_HASH + 8)) break;
    const kind = <i32>(sizeAndKind >>> KIND_SHIFT);
    const separator: u32 = load<u8>(next);
    if (kind >= KIND_COMMENT) {
      if (separator != LF) break;
      if (kind >= KIND_TYPE) type = kind;
      at = next + 1;
    } else {
      if (separator != SPACE && separator != TAB) break;
      if (load<u32>(record, RECORD_SEEN) == scrape) break;
      const numberEnd = parseNumber(next + 1);
      if (numberEnd == 0 || load<u8>(numberEnd) != LF) break;
      scraped++;
      if (kind == KIND_SERIES) {
        store<u32>(refs + (count << 2), load<u32>(record, RECORD_REF));
        store<f64>(values + (count << 3), number);
        count++;
      }
      at = numberEnd + 1;
    }
    store<u64>(record, mark, RECORD_SEEN);
    record += RECORD_BYTES;
  }

  store<u32>(state, at, STATE_POSITION);
  store<u32>(state, record, STATE_RECORD);
  store<u32>(state, count, STATE_COUNT);
  store<u32>(state, scraped, STATE_SCRAPED);
  store<u32>(state, type, STATE_TYPE);
  return at >= end ? 1 : 0;
}

/** The value of the last `parseNumber`. */
let number: f64 = 0;

const MAX_DIGITS: i32 = 19;
/** 2^53: integers up to here are exact. */
const EXACT_INTEGER: u64 = 0x20000000000000;
/** Powers of ten up to 10^22 are exact. */
const EXACT_POWER: i32 = 22;
const POWERS_OF_TEN: StaticArray<f64> = [
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
];

/**
 * Parses a decimal of at most 19 significant digits into `number`, correctly rounded; the terminator (a byte that is no
 * part of a number) must exist.
 * @returns the address behind it, 0 when it is left to the caller (NaN, Inf, long, far exponents, rounding in doubt)
 */
function parseNumber(at: usize): usize {
  let byte: u32 = load<u8>(at);
  const negative = byte == 0x2d;
  if (negative || byte == 0x2b) byte = load<u8>(++at);
  let mantissa: u64 = 0;
  let exponent: i32 = 0;
  const start = at;
  while (byte == 0x30) byte = load<u8>(++at);
  let first = at;
  let digit = byte - 0x30;
  while (digit <= 9) {
    mantissa = mantissa * 10 + digit;
    byte = load<u8>(++at);
    digit = byte - 0x30;
  }
  let digits = <i32>(at - first);
  let any = at != start;
  if (byte == 0x2e) {
    byte = load<u8>(++at);
    const fraction = at;
    if (mantissa == 0) while (byte == 0x30) byte = load<u8>(++at);
    first = at;
    digit = byte - 0x30;
    while (digit <= 9) {
      mantissa = mantissa * 10 + digit;
      byte = load<u8>(++at);
      digit = byte - 0x30;
    }
    digits += <i32>(at - first);
    exponent = -(<i32>(at - fraction));
    if (at != fraction) any = true;
  }
  if (!any || digits > MAX_DIGITS) return 0;
  if ((byte | 0x20) == 0x65) {
    byte = load<u8>(++at);
    const minus = byte == 0x2d;
    if (minus || byte == 0x2b) byte = load<u8>(++at);
    const from = at;
    let power: i32 = 0;
    digit = byte - 0x30;
    while (digit <= 9) {
      power = power * 10 + <i32>digit;
      byte = load<u8>(++at);
      digit = byte - 0x30;
    }
    if (at == from || at - from > 4) return 0;
    exponent += minus ? -power : power;
  }
  let magnitude: f64;
  if (mantissa == 0) {
    magnitude = 0;
  } else if (exponent == 0) {
    magnitude = <f64>mantissa;
  } else if (mantissa <= EXACT_INTEGER && exponent >= -EXACT_POWER && exponent <= EXACT_POWER) {
    magnitude =
      exponent < 0
        ? <f64>mantissa / unchecked(POWERS_OF_TEN[-exponent])
        : <f64>mantissa * unchecked(POWERS_OF_TEN[exponent]);
  } else {
    const bits = eiselLemire(mantissa, exponent);
    if (bits == 0) return 0;
    magnitude = reinterpret<f64>(bits);
  }
  number = negative ? -magnitude : magnitude;
  return at;
}

/** Range of the table below: 5^54 is the largest power for which the division in `buildPowersOfFive` stays in 128 bits. */
const MAX_POWER: i32 = 54;
/** 5^q for q in [-54, 54], as the top 128 bits: low word, high word. */
const POWERS_OF_FIVE: StaticArray<u64> = buildPowersOfFive();

function buildPowersOfFive(): StaticArray<u64> {
  const table = new StaticArray<u64>((2 * MAX_POWER + 1) * 2);
  let low: u64 = 1;
  let high: u64 = 0;
  for (let power = 0; power <= MAX_POWER; power++) {
    const zeros: i32 = high != 0 ? <i32>clz<u64>(high) : 64 + <i32>clz<u64>(low);
    const at = (MAX_POWER + power) * 2;
    unchecked((table[at] = zeros >= 64 ? 0 : low << zeros));
    unchecked(
      (table[at + 1] =
        zeros >= 64 ? low << (zeros - 64) : zeros == 0 ? high : (high << zeros) | (low >>> (64 - zeros))),
    );
    if (power > 0) storeReciprocal(table, (MAX_POWER - power) * 2, power, low, high, 128 - zeros);
    // times five
    const carry = multiplyHigh(low, 5);
    low *= 5;
    high = high * 5 + carry;
  }
  return table;
}

/** 2^(bits + 127) / 5^power by long division, rounded up where the power has no more than 64 bits. */
function storeReciprocal(table: StaticArray<u64>, at: i32, power: i32, low: u64, high: u64, bits: i32): void {
  let restLow: u64 = bits <= 64 ? (<u64>1) << (bits - 1) : 0;
  let restHigh: u64 = bits <= 64 ? 0 : (<u64>1) << (bits - 65);
  let quotientLow: u64 = 0;
  let quotientHigh: u64 = 0;
  for (let i = 0; i < 128; i++) {
    restHigh = (restHigh << 1) | (restLow >>> 63);
    restLow <<= 1;
    quotientHigh = (quotientHigh << 1) | (quotientLow >>> 63);
    quotientLow <<= 1;
    if (restHigh > high || (restHigh == high && restLow >= low)) {
      const borrow: u64 = restLow < low ? 1 : 0;
      restLow -= low;
      restHigh -= high + borrow;
      quotientLow |= 1;
    }
  }
  if (power <= 27) {
    quotientLow++;
    if (quotientLow == 0) quotientHigh++;
  }
  unchecked((table[at] = quotientLow));
  unchecked((table[at + 1] = quotientHigh));
}

/** The upper 64 bits of the product. */
function multiplyHigh(x: u64, y: u64): u64 {
  const x0 = x & 0xffffffff;
  const x1 = x >>> 32;
  const y0 = y & 0xffffffff;
  const y1 = y >>> 32;
  const w = x1 * y0 + ((x0 * y0) >>> 32);
  const middle = (w & 0xffffffff) + x0 * y1;
  return x1 * y1 + (w >>> 32) + (middle >>> 32);
}

/**
 * mantissa × 10^exponent as the bits of a double (Lemire, "Number parsing at a gigabyte per second", 2021).
 * @returns 0 where the answer is in doubt, subnormal, infinite or outside the table
 */
function eiselLemire(mantissa: u64, exponent: i32): u64 {
  if (exponent < -MAX_POWER || exponent > MAX_POWER) return 0;
  const zeros = clz<u64>(mantissa);
  const normal = mantissa << zeros;
  let binaryExponent = ((217706 * exponent) >> 16) + 64 + 1023 - <i32>zeros;
  const at = (MAX_POWER + exponent) * 2;
  const power = unchecked(POWERS_OF_FIVE[at + 1]);
  let high = multiplyHigh(normal, power);
  let low = normal * power;
  if ((high & 0x1ff) == 0x1ff && low + normal < normal) {
    const finer = unchecked(POWERS_OF_FIVE[at]);
    const finerHigh = multiplyHigh(normal, finer);
    const finerLow = normal * finer;
    const merged = low + finerHigh;
    if (merged < low) high++;
    if ((high & 0x1ff) == 0x1ff && merged + 1 == 0 && finerLow + normal < normal) return 0;
    low = merged;
  }
  const top = high >>> 63;
  let bits = high >>> (top + 9);
  binaryExponent -= <i32>(1 ^ top);
  if (low == 0 && (high & 0x1ff) == 0 && (bits & 3) == 1) return 0;
  bits = (bits + (bits & 1)) >>> 1;
  if (bits >>> 53 > 0) {
    bits >>>= 1;
    binaryExponent++;
  }
  if (binaryExponent < 1 || binaryExponent >= 0x7ff) return 0;
  return ((<u64>binaryExponent) << 52) | (bits & 0xfffffffffffff);
}
