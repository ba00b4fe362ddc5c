import type { SharedArena } from '../../kernels/index.ts';

/** As assembly/postings-offsets.ts has them. */
export const ROW_BYTES = 16;
const LENGTH_MASK = 0x7fff_ffff;

/** Entries of the postings offset table that lie on one page, as rows in the arena; valid until the next are read. */
export interface EntryRows {
  readonly address: number;
  readonly count: number;
  /** What the rows count from, and how many bytes lie there that the entries take. */
  readonly base: number;
  readonly bytes: number;
}

/** All values: their texts are cut from one, which takes a quarter of the time of decoding each. */
export function valuesOf({ u32, buffer }: SharedArena, { address, count, base, bytes }: EntryRows): string[] {
  const text = buffer.toString('latin1', base, base + bytes);
  const values: string[] = [];
  for (let row = address >>> 2, i = 0; i < count; i++, row += ROW_BYTES / 4) {
    const start = u32[row]!;
    const length = u32[row + 1]!;
    const end = start + (length & LENGTH_MASK);
    values.push(length > LENGTH_MASK ? buffer.toString('utf8', base + start, base + end) : text.slice(start, end));
  }
  return values;
}

export function valueOf({ u32, buffer }: SharedArena, { address, base }: EntryRows, i: number): string {
  const row = (address + i * ROW_BYTES) >>> 2;
  const start = base + u32[row]!;
  return buffer.toString('utf8', start, start + (u32[row + 1]! & LENGTH_MASK));
}

export function isAscii({ u32 }: SharedArena, { address }: EntryRows, i: number): boolean {
  return u32[((address + i * ROW_BYTES) >>> 2) + 1]! <= LENGTH_MASK;
}

/** Where the postings of an entry lie in the file. */
export function offsetOf({ f64 }: SharedArena, { address }: EntryRows, i: number): number {
  return f64[(address + i * ROW_BYTES) / 8 + 1]!;
}
