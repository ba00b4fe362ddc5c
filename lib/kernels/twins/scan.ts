import * as layout from '../assembly/scan-layout.ts';
import type { SharedArena } from '../memory.ts';

const LF = 0x0a;
const TAB = 0x09;
const SPACE = 0x20;

/** A decimal as the kernel takes it; the significant digits are counted apart. */
const DECIMAL = /^[+-]?0*(\d*)(?:\.(\d*))?(?:e[+-]?\d{1,4})?$/i;
const MAX_DIGITS = 19;

/** Plain twin of `scanPage` (assembly/scan.ts): same memory, same answers. */
export function scanPageTwin(arena: SharedArena, state: number): 0 | 1 {
  const { u8, u32, f64 } = arena;
  const field = (offset: number): number => (state + offset) >>> 2;
  const end = u32[field(layout.STATE_END)]!;
  const scrape = u32[field(layout.STATE_SCRAPE)]!;
  let at = u32[field(layout.STATE_POSITION)]!;
  let record = u32[field(layout.STATE_RECORD)]!;

  while (at < end) {
    if (u8[at] === LF) {
      at++;
      continue;
    }
    if (record >= u32[field(layout.STATE_RECORDS_END)]!) break;
    const word = record >>> 2;
    const size = u32[word + layout.RECORD_SIZE / 4]!;
    const kind = size >>> layout.KIND_SHIFT;
    const length = size & layout.SIZE_MASK;
    const next = at + length;
    if (next >= end) break;
    const hash = hashOf(arena, state, at, length);
    if (hash.some((part, i) => part !== u32[word + i])) break;
    if (kind >= layout.KIND_COMMENT) {
      if (u8[next] !== LF) break;
      if (kind >= layout.KIND_TYPE) u32[field(layout.STATE_TYPE)] = kind;
      at = next + 1;
    } else {
      if (u8[next] !== SPACE && u8[next] !== TAB) break;
      if (u32[word + layout.RECORD_SEEN / 4] === scrape) break;
      const lineEnd = u8.indexOf(LF, next);
      const value = decimal(String.fromCharCode(...u8.subarray(next + 1, lineEnd)));
      if (value === undefined) break;
      u32[field(layout.STATE_SCRAPED)]!++;
      if (kind === layout.KIND_SERIES) {
        const count = u32[field(layout.STATE_COUNT)]!++;
        u32[(u32[field(layout.STATE_REFS)]! >>> 2) + count] = u32[word + layout.RECORD_REF / 4]!;
        f64[(u32[field(layout.STATE_VALUES)]! >>> 3) + count] = value;
      }
      at = lineEnd + 1;
    }
    u32[word + layout.RECORD_SEEN / 4] = scrape;
    u32[word + layout.RECORD_LIVE / 4] = 1;
    record += layout.RECORD_BYTES;
  }

  u32[field(layout.STATE_POSITION)] = at;
  u32[field(layout.STATE_RECORD)] = record;
  return at >= end ? 1 : 0;
}

/** Plain twin of `hashLine`. */
export function hashLineTwin(arena: SharedArena, state: number, at: number, length: number, out: number): void {
  arena.u32.set(hashOf(arena, state, at, length), out >>> 2);
}

function decimal(text: string): number | undefined {
  const match = DECIMAL.exec(text);
  if (match === null || !/^[+-]?\.?\d/.test(text)) return undefined;
  const [, whole = '', fraction = ''] = match;
  const digits = whole === '' ? fraction.replace(/^0+/, '') : whole + fraction;
  return digits.length > MAX_DIGITS ? undefined : Number(text);
}

const K0 = 0x9e3779b97f4a7c15n;
const K1 = 0x243f6a8885a308d3n;

/** BigInt: this twin says what the hash is, it need not be fast. @returns four u32, low words first */
function hashOf(arena: SharedArena, state: number, at: number, length: number): number[] {
  const view = new DataView(arena.memory.buffer);
  const word = (address: number): bigint => view.getBigUint64(address, true);
  let a = word(state + layout.STATE_SEED) ^ wrap(BigInt(length) * K0);
  let b = word(state + layout.STATE_SEED + 8);
  const step = (u: bigint, v: bigint): void => {
    const x = rotate(wrap((a ^ u) * K0), 27n);
    const y = rotate(wrap((b ^ v) * K1), 31n);
    a = y;
    b = wrap(x + y);
  };
  if (length >= 16) {
    const last = at + length - 16;
    for (; at < last; at += 16) step(word(at), word(at + 8));
    step(word(last), word(last + 8));
  } else if (length >= 8) {
    step(word(at), word(at + length - 8));
  } else if (length >= 4) {
    step(BigInt(view.getUint32(at, true)), BigInt(view.getUint32(at + length - 4, true)));
  } else {
    let u = 0n;
    for (let i = 0; i < length; i++) u = (u << 8n) | BigInt(view.getUint8(at + i));
    step(u, 0n);
  }
  return [a, b].flatMap((half) => [Number(half & 0xffffffffn), Number(half >> 32n)]);
}

function wrap(value: bigint): bigint {
  return value & 0xffffffffffffffffn;
}

function rotate(value: bigint, by: bigint): bigint {
  return wrap(value << by) | (value >> (64n - by));
}
