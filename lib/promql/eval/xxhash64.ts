/**
 * XXH64 with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md). A 64-bit word is two 32-bit halves, and every
 * operation leaves its result in `high` and `low`: numbers, no BigInt, no object per step.
 */

// The primes of the specification, as halves.
const P1H = 0x9e3779b1;
const P1L = 0x85ebca87;
const P2H = 0xc2b2ae3d;
const P2L = 0x27d4eb4f;
const P3H = 0x165667b1;
const P3L = 0x9e3779f9;
const P4H = 0x85ebca77;
const P4L = 0xc2b2ae63;
const P5H = 0x27d4eb2f;
const P5L = 0x165667c5;
const STRIPE_BYTES = 32;

/** The result of the operation that ran last. */
let high = 0;
let low = 0;
/** The four accumulators: high and low halves in turn. */
const lanes = new Uint32Array(8);

/** @returns the hash of the bytes 0 … length − 1 as a fraction of 2^64, rounded as Go rounds a uint64 to a float64 */
export function xxhash64Fraction(bytes: Uint8Array, length: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  let at = 0;
  if (length >= STRIPE_BYTES) at = hashStripes(view, length);
  else set(P5H, P5L);
  add(high, low, 0, length);
  for (; at + 8 <= length; at += 8) {
    const [h, l] = [high, low];
    round(0, 0, view.getUint32(at + 4, true), view.getUint32(at, true));
    set(h ^ high, l ^ low);
    rotate(27);
    multiply(high, low, P1H, P1L);
    add(high, low, P4H, P4L);
  }
  if (at + 4 <= length) {
    const [h, l] = [high, low];
    multiply(0, view.getUint32(at, true), P1H, P1L);
    set(h ^ high, l ^ low);
    rotate(23);
    multiply(high, low, P2H, P2L);
    add(high, low, P3H, P3L);
    at += 4;
  }
  for (; at < length; at++) {
    const [h, l] = [high, low];
    multiply(0, view.getUint8(at), P5H, P5L);
    set(h ^ high, l ^ low);
    rotate(11);
    multiply(high, low, P1H, P1L);
  }
  avalanche();
  return ((high >>> 0) * 2 ** 32 + (low >>> 0)) / 2 ** 64;
}

/** Whole stripes of 32 bytes. @returns where they end */
function hashStripes(view: DataView, length: number): number {
  lanes.fill(0);
  add(P1H, P1L, P2H, P2L);
  keep(0);
  set(P2H, P2L);
  keep(1);
  set(0, 0);
  keep(2);
  // −P1 is its complement plus one.
  add(~P1H, ~P1L, 0, 1);
  keep(3);
  let at = 0;
  for (; at + STRIPE_BYTES <= length; at += STRIPE_BYTES) {
    for (let lane = 0; lane < 4; lane++) {
      const word = at + 8 * lane;
      round(lanes[2 * lane]!, lanes[2 * lane + 1]!, view.getUint32(word + 4, true), view.getUint32(word, true));
      keep(lane);
    }
  }
  let sumHigh = 0;
  let sumLow = 0;
  for (const [lane, bits] of [1, 7, 12, 18].entries()) {
    set(lanes[2 * lane]!, lanes[2 * lane + 1]!);
    rotate(bits);
    add(sumHigh, sumLow, high, low);
    sumHigh = high;
    sumLow = low;
  }
  set(sumHigh, sumLow);
  for (let lane = 0; lane < 4; lane++) {
    const [h, l] = [high, low];
    round(0, 0, lanes[2 * lane]!, lanes[2 * lane + 1]!);
    set(h ^ high, l ^ low);
    multiply(high, low, P1H, P1L);
    add(high, low, P4H, P4L);
  }
  return at;
}

/** One word into an accumulator. */
function round(accumulatorHigh: number, accumulatorLow: number, wordHigh: number, wordLow: number): void {
  multiply(wordHigh, wordLow, P2H, P2L);
  add(accumulatorHigh, accumulatorLow, high, low);
  rotate(31);
  multiply(high, low, P1H, P1L);
}

function avalanche(): void {
  // 33 is 1 beyond a half.
  low ^= high >>> 1;
  multiply(high, low, P2H, P2L);
  const [h, l] = [high, low];
  set(h ^ (h >>> 29), l ^ ((l >>> 29) | (h << 3)));
  multiply(high, low, P3H, P3L);
  low ^= high;
}

function set(h: number, l: number): void {
  high = h >>> 0;
  low = l >>> 0;
}

function keep(lane: number): void {
  lanes[2 * lane] = high;
  lanes[2 * lane + 1] = low;
}

function add(ah: number, al: number, bh: number, bl: number): void {
  const sum = (al >>> 0) + (bl >>> 0);
  set(ah + bh + (sum > 0xffffffff ? 1 : 0), sum);
}

/** To the left, by 1 … 31 bits. */
function rotate(bits: number): void {
  set((high << bits) | (low >>> (32 - bits)), (low << bits) | (high >>> (32 - bits)));
}

/** The lower 64 bits of a product. */
function multiply(ah: number, al: number, bh: number, bl: number): void {
  const a0 = al & 0xffff;
  const a1 = al >>> 16;
  const b0 = bl & 0xffff;
  const b1 = bl >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const carry = (middle & 0xffff) + a0 * b1;
  const upper = a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000);
  set(upper + Math.imul(ah, bl) + Math.imul(al, bh), Math.imul(al, bl));
}
