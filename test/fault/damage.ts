/** Ways to damage a file. */
import type { Random } from '../../lib/env/index.ts';
import { crc32cOf } from '../tools/block-content.ts';

export interface Damage {
  readonly bytes: Buffer;
  /** What was done, for messages. */
  readonly what: string;
}

/** Cut off at every length. */
export function* truncations(good: Buffer): Generator<Damage> {
  for (let length = 0; length < good.length; length++) {
    yield { bytes: good.subarray(0, length), what: `cut off at ${length}` };
  }
}

/** In every byte, some bit. */
export function* flips(good: Buffer, random: Random): Generator<Damage> {
  for (let at = 0; at < good.length; at++) {
    const bit = Math.floor(random() * 8);
    const bytes = Buffer.from(good);
    bytes[at]! ^= 1 << bit;
    yield { bytes, what: `bit ${bit} of byte ${at}` };
  }
}

/** From every seventh byte on, the longest varint that there is: a huge count or length wherever one is read. */
export function* uvarintBombs(good: Buffer): Generator<Damage> {
  for (let at = 8; at < good.length - 60; at += 7) {
    for (const last of [0x01, 0x7f]) {
      const bytes = Buffer.from(good);
      bytes.fill(0xff, at, at + 9);
      bytes[at + 9] = last;
      yield { bytes, what: `a huge varint at ${at}` };
    }
  }
}

/** A file's tail as ext4 leaves it after a power loss: zeros. */
export function* zeroTails(good: Buffer, stepBytes: number): Generator<Damage> {
  for (let from = 0; from < good.length; from += stepBytes) {
    yield { bytes: Buffer.from(good).fill(0, from), what: `zeros from ${from} on` };
  }
}

/**
 * The file with the checksums of all its parts made right again; `good` says where the parts are.
 * @returns undefined when nothing is under a checksum that is wrong
 */
export function resealed(kind: 'index' | 'chunks', bytes: Buffer, good: Buffer): Buffer | undefined {
  const out = Buffer.from(bytes);
  let changed = false;
  for (const [from, to] of kind === 'index' ? indexParts(good) : chunkParts(good)) {
    const crc = crc32cOf(out.subarray(from, to));
    changed ||= crc !== out.readUInt32BE(to);
    out.writeUInt32BE(crc, to);
  }
  return changed ? out : undefined;
}

/** Ranges that a checksum follows. */
function* indexParts(good: Buffer): Generator<[from: number, to: number]> {
  const toc = good.length - 52;
  const offset = (i: number): number => Number(good.readBigUInt64BE(toc + i * 8));
  const [symbols, series, labelIndices, labelTable, postings, postingsTable] = [0, 1, 2, 3, 4, 5].map(offset);
  const section = function* (from: number, to: number): Generator<[number, number]> {
    for (let at = from; at + 8 <= to;) {
      const length = good.readUInt32BE(at);
      yield [at + 4, at + 4 + length];
      at += 8 + length;
    }
  };
  yield* section(symbols!, symbols! + 8);
  for (let at = series!; at < (labelIndices || postings)!;) {
    if (good[at] === 0) {
      at++;
      continue;
    }
    const [length, start] = uvarint(good, at);
    yield [start, start + length];
    at = start + length + 4;
  }
  // Postings are aligned to four bytes.
  yield* section(Math.ceil(postings! / 4) * 4, labelTable || postingsTable!);
  yield* section(postingsTable!, postingsTable! + 8);
  yield [toc, toc + 48];
}

function* chunkParts(good: Buffer): Generator<[from: number, to: number]> {
  for (let at = 8; at < good.length;) {
    const [length, start] = uvarint(good, at);
    yield [start, start + 1 + length];
    at = start + 1 + length + 4;
  }
}

function uvarint(bytes: Buffer, from: number): [value: number, end: number] {
  let value = 0;
  for (let at = from, scale = 1; ; at++, scale *= 128) {
    value += (bytes[at]! & 0x7f) * scale;
    if (bytes[at]! < 0x80) return [value, at + 1];
  }
}
