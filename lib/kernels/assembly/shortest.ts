// The shortest decimal that reads back as a given f64, and of those the closest: R. Giulietti, "The Schubfach way to render
// doubles". A double is c × 2^q; the interval that rounds to it is scaled by a power of ten near 2^-q, so that a decimal of
// the wanted length is a whole number in it. The power is known to 128 bits, rounded up, which the paper proves to be enough
// when products are rounded to odd.

/** Powers of ten that scaling takes: 10^-292 … 10^324. */
const MIN_POWER: i32 = -292;
const MAX_POWER: i32 = 324;
/** The upper 128 bits of each, high word first; made when the first number is printed, 16 bytes each. */
const POWERS = heap.alloc((MAX_POWER - MIN_POWER + 1) << 4);
/** 5^n up to here fits 128 bits. */
const MAX_EXACT_POWER: i32 = 55;

/** A number of u32 digits, the lowest first: 5^324 has 753 bits, and 1 / 5^292 needs 678 before its first 128 that count. */
const LIMBS: usize = 26;
/** As many zeros lie below. */
const PADDING: usize = 4;
const NUMBER_BYTES: usize = (PADDING + LIMBS) << 2;
const NUMBER = heap.alloc(NUMBER_BYTES);
const LIMBS_AT = NUMBER + (PADDING << 2);

const FRACTION_BITS = 52;
const HIDDEN_BIT: u64 = 1 << FRACTION_BITS;
const MAX_EXPONENT: i32 = 0x7ff;
const EXPONENT_BIAS: i32 = 1075;

/** What `shorten` found: digits × 10^exponent. The digits may end with zeros. */
export let digits: u64 = 0;
export let exponent: i32 = 0;

/** floor(log10(2^e)), floor(log10(¾ × 2^e)) and floor(log2(10^e)), exact for all that are asked for. */
// @ts-ignore: decorator
@inline
function floorLog10Pow2(e: i32): i32 {
  return (e * 1_262_611) >> 22;
}
// @ts-ignore: decorator
@inline
function floorLog10ThreeQuartersPow2(e: i32): i32 {
  return (e * 1_262_611 - 524_031) >> 22;
}
// @ts-ignore: decorator
@inline
function floorLog2Pow10(e: i32): i32 {
  return (e * 1_741_647) >> 19;
}

/** The upper half of a product of 64 bits by 64. */
// @ts-ignore: decorator
@inline
function multiplyHigh(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff;
  const a1 = a >>> 32;
  const b0 = b & 0xffffffff;
  const b1 = b >>> 32;
  const low = a0 * b1;
  const middle = a1 * b0 + ((a0 * b0) >>> 32) + (low & 0xffffffff);
  return a1 * b1 + (middle >>> 32) + (low >>> 32);
}

/** Finds `digits` and `exponent` of a number, given by its bits without the sign; neither zero nor beyond the finite ones. */
export function shorten(bits: u64): void {
  const fraction = bits & (HIDDEN_BIT - 1);
  const biased = <i32>(bits >>> FRACTION_BITS);
  const c = biased == 0 ? fraction : fraction | HIDDEN_BIT;
  const q = (biased == 0 ? 1 : biased) - EXPONENT_BIAS;
  // Below a power of two numbers lie twice as close.
  const isUneven = fraction == 0 && biased > 1;
  const k = isUneven ? floorLog10ThreeQuartersPow2(q) : floorLog10Pow2(q);
  const shift = <u64>(q + floorLog2Pow10(-k) + 1);
  const power = POWERS + ((<usize>(-k - MIN_POWER)) << 4);
  const g1 = load<u64>(power);
  const g0 = load<u64>(power, 8);

  // Four times the number, as 192 bits w, z, l; its interval reaches half a unit of c, two of these, to both sides.
  const scaled = (c << 2) << shift;
  const l = g0 * scaled;
  const carried = multiplyHigh(g0, scaled);
  const z = g1 * scaled + carried;
  const w = multiplyHigh(g1, scaled) + <u64>(z < carried);
  const up = shift + 1;
  const d0 = g0 << up;
  const d1 = (g1 << up) | (g0 >>> (64 - up));
  const d2 = g1 >>> (64 - up);
  const down = isUneven ? shift : up;
  const e0 = g0 << down;
  const e1 = (g1 << down) | (g0 >>> (64 - down));
  const e2 = g1 >>> (64 - down);
  const upperZ0 = z + d1;
  const upperZ = upperZ0 + <u64>(l + d0 < l);
  const upperW = w + d2 + <u64>(upperZ0 < z || upperZ < upperZ0);
  const lowerZ0 = z - e1;
  const lowerZ = lowerZ0 - <u64>(l < e0);
  const lowerW = w - e2 - <u64>(z < e1 || lowerZ > lowerZ0);

  // Rounded to odd; ends of the interval belong to it when c is even.
  const open = c & 1;
  const value = w | <u64>(z > 1);
  const lower = (lowerW | <u64>(lowerZ > 1)) + open;
  const upper = (upperW | <u64>(upperZ > 1)) - open;

  const whole = value >>> 2;
  if (whole >= 10) {
    // One digit less will do when just one of the two neighbours lies inside.
    const tens = whole / 10;
    const isBelow = lower <= 40 * tens;
    const isAbove = 40 * tens + 40 <= upper;
    if (isBelow != isAbove) {
      digits = tens + <u64>isAbove;
      exponent = k + 1;
      return;
    }
  }
  const isBelow = lower <= whole << 2;
  const isAbove = (whole << 2) + 4 <= upper;
  const middle = (whole << 2) + 2;
  const isUp = isBelow != isAbove ? isAbove : value > middle || (value == middle && (whole & 1) != 0);
  digits = whole + <u64>isUp;
  exponent = k;
}

/** Must have been called before `shorten`. */
export function preparePowers(): void {
  if (load<u64>(POWERS) != 0) return;
  memory.fill(NUMBER, 0, NUMBER_BYTES);
  store<u32>(LIMBS_AT, 1);
  for (let power = 0; power <= MAX_POWER; power++) {
    storePower(power);
    let carry: u64 = 0;
    for (let i: usize = 0; i < LIMBS; i++) {
      carry += <u64>load<u32>(LIMBS_AT + (i << 2)) * 5;
      store<u32>(LIMBS_AT + (i << 2), <u32>carry);
      carry >>>= 32;
    }
  }
  // A large power of two, divided by five again and again: whole parts of whole parts are exact.
  memory.fill(NUMBER, 0, NUMBER_BYTES);
  store<u32>(LIMBS_AT + ((LIMBS - 1) << 2), 0x80000000);
  for (let power = -1; power >= MIN_POWER; power--) {
    let rest: u64 = 0;
    for (let i = LIMBS; i-- > 0;) {
      rest = (rest << 32) | load<u32>(LIMBS_AT + (i << 2));
      store<u32>(LIMBS_AT + (i << 2), <u32>(rest / 5));
      rest %= 5;
    }
    storePower(power);
  }
}

/** The upper 128 bits of the number, rounded up. (10^n and 5^n have the same.) */
function storePower(power: i32): void {
  let top = LIMBS_AT + ((LIMBS - 1) << 2);
  while (load<u32>(top) == 0) top -= 4;
  const shift = <u64>clz<u32>(load<u32>(top));
  const high = (((<u64>load<u32>(top)) << 32) | load<u32>(top - 4)) << shift;
  const low = (((<u64>load<u32>(top - 8)) << 32) | load<u32>(top - 12)) << shift;
  const g0 = (low | (<u64>load<u32>(top - 16) >>> (32 - shift))) + <u64>(power < 0 || power > MAX_EXACT_POWER);
  const g1 = high | (<u64>load<u32>(top - 8) >>> (32 - shift));
  const at = POWERS + ((<usize>(power - MIN_POWER)) << 4);
  store<u64>(at, g1);
  store<u64>(at, g0, 8);
}
