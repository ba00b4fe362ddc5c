/**
 * A block read whole into plain data, by code of its own (tsdb/docs/format/index.md, chunks.md, tombstones.md): the tests hold
 * what storage writes and reads against it. Every checksum is checked; nothing is fast.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Labels, LabelsBuilder } from '../../lib/model/index.ts';

export interface BlockContent {
  readonly meta: BlockMeta;
  readonly indexVersion: number;
  readonly symbols: readonly string[];
  readonly series: readonly BlockSeries[];
  /** In the order of the postings offset table: `name="value"` and the labels of its series. */
  readonly postings: readonly (readonly [pair: string, series: readonly string[]])[];
  /** Sizes of the chunk segments. */
  readonly segmentBytes: readonly number[];
  readonly tombstones: readonly (readonly [series: string, minMs: number, maxMs: number])[];
}

export interface BlockMeta {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly version: number;
  readonly stats?: Readonly<Record<string, number>>;
  readonly compaction: {
    readonly level: number;
    readonly sources?: readonly string[];
    readonly parents?: readonly unknown[];
    readonly hints?: readonly string[];
    readonly deletable?: boolean;
    readonly failed?: boolean;
  };
}

export interface BlockSeries {
  readonly labels: Labels;
  readonly chunks: readonly BlockChunk[];
}

export interface BlockChunk {
  readonly minMs: number;
  readonly maxMs: number;
  readonly encoding: number;
  readonly bytes: Buffer;
  /** Number of the segment file and offset in it. */
  readonly place: readonly [segment: number, offset: number];
}

/** @throws when anything is not as the format says */
export function readBlock(dir: string): BlockContent {
  const meta = JSON.parse(readFileSync(join(dir, 'meta.json'), 'utf8')) as BlockMeta;
  const segments = readdirSync(join(dir, 'chunks'))
    .sort()
    .map((name) => readFileSync(join(dir, 'chunks', name)));
  for (const segment of segments) {
    if (segment.readUInt32BE(0) !== 0x85bd40dd || segment[4] !== 1) throw new Error(`${dir}: a bad chunk segment`);
  }
  const index = new Index(readFileSync(join(dir, 'index')), segments);
  return {
    meta,
    indexVersion: index.version,
    symbols: index.symbols,
    series: [...index.series.values()],
    postings: index.postings(),
    segmentBytes: segments.map(({ length }) => length),
    tombstones: readTombstones(dir, index.series),
  };
}

/** Reads varints from a buffer, one after the other. */
class Cursor {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  u32(): number {
    this.at += 4;
    return this.bytes.readUInt32BE(this.at - 4);
  }

  u64(): number {
    const value = this.bytes.readBigUInt64BE(this.at);
    this.at += 8;
    return Number(value);
  }

  uvarint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.bytes[this.at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  varint(): bigint {
    const value = this.uvarint();
    return value & 1n ? -(value + 1n) / 2n : value / 2n;
  }

  number(): number {
    return Number(this.uvarint());
  }

  string(): string {
    const length = this.number();
    this.at += length;
    return this.bytes.toString('utf8', this.at - length, this.at);
  }
}

class Index {
  readonly version: number;
  readonly symbols: string[] = [];
  /** By ref, in the order of the file. */
  readonly series = new Map<number, BlockSeries>();
  readonly #bytes: Buffer;
  readonly #postingsTable: number;

  constructor(bytes: Buffer, segments: readonly Buffer[]) {
    this.#bytes = bytes;
    if (bytes.readUInt32BE(0) !== 0xbaaad700) throw new Error('index: a bad magic number');
    this.version = bytes[4]!;
    const toc = new Cursor(bytes, bytes.length - 52);
    checkCrc(bytes, toc.at, 48, 'table of contents');
    const [symbols, series, labelIndices, , postings, postingsTable] = Array.from({ length: 6 }, () => toc.u64());
    this.#postingsTable = postingsTable!;
    const table = this.#section(symbols!, 'symbols');
    const symbolAt = new Map<number, string>();
    for (let count = table.u32(); count > 0; count--) {
      const at = table.at;
      const text = table.string();
      // Version 1 refers to symbols by their offset.
      symbolAt.set(this.version === 1 ? at : this.symbols.length, text);
      this.symbols.push(text);
    }
    const end = labelIndices || postings || postingsTable!;
    for (let at = series!; at < end;) {
      // Alignment, and what lies between the last series and the next section.
      if (bytes[at] === 0) {
        at++;
        continue;
      }
      if (this.version > 1 && at % 16 !== 0) throw new Error(`index: a series at ${at}`);
      const cursor = new Cursor(bytes, at);
      const length = cursor.number();
      checkCrc(bytes, cursor.at, length, 'series');
      this.series.set(this.version === 1 ? at : at / 16, this.#series(cursor, symbolAt, segments));
      at = cursor.at + 4;
    }
  }

  #section(at: number, what: string): Cursor {
    const cursor = new Cursor(this.#bytes, at);
    checkCrc(this.#bytes, at + 4, cursor.u32(), what);
    return cursor;
  }

  #series(cursor: Cursor, symbols: ReadonlyMap<number, string>, segments: readonly Buffer[]): BlockSeries {
    const labels = new LabelsBuilder();
    let previous = '';
    for (let count = cursor.number(); count > 0; count--) {
      const name = symbols.get(cursor.number())!;
      if (Buffer.compare(Buffer.from(previous), Buffer.from(name)) >= 0)
        throw new Error(`index: ${name} behind ${previous}`);
      previous = name;
      labels.set(name, symbols.get(cursor.number())!);
    }
    const chunks: BlockChunk[] = [];
    let ref = 0n;
    let maxMs = 0;
    for (let count = cursor.number(); count > 0; count--) {
      const first = chunks.length === 0;
      const minMs = maxMs + Number(first ? cursor.varint() : BigInt.asIntN(64, cursor.uvarint()));
      maxMs = minMs + cursor.number();
      ref += first ? cursor.uvarint() : cursor.varint();
      chunks.push({ minMs, maxMs, ...readChunk(segments, ref) });
    }
    return { labels: labels.labels(), chunks };
  }

  postings(): [pair: string, series: readonly string[]][] {
    const out: [string, readonly string[]][] = [];
    const table = this.#section(this.#postingsTable, 'postings offset table');
    for (let count = table.u32(); count > 0; count--) {
      if (table.number() !== 2) throw new Error('index: a postings entry that is no pair');
      const pair = `${table.string()}=${JSON.stringify(table.string())}`;
      const list = this.#section(table.number(), `postings of ${pair}`);
      const refs = Array.from({ length: list.u32() }, () => list.u32());
      if (refs.some((ref, i) => i > 0 && ref <= refs[i - 1]!))
        throw new Error(`index: postings of ${pair} out of order`);
      out.push([pair, refs.map((ref) => this.series.get(ref)!.labels.toString())]);
    }
    return out;
  }
}

function readChunk(segments: readonly Buffer[], ref: bigint): Pick<BlockChunk, 'encoding' | 'bytes' | 'place'> {
  const segment = Number(ref >> 32n);
  const offset = Number(ref & 0xffff_ffffn);
  const cursor = new Cursor(segments[segment]!, offset);
  const length = cursor.number();
  checkCrc(cursor.bytes, cursor.at, length + 1, 'chunk');
  const encoding = cursor.bytes[cursor.at]!;
  const bytes = cursor.bytes.subarray(cursor.at + 1, cursor.at + 1 + length);
  return { encoding, bytes, place: [segment, offset] };
}

function readTombstones(
  dir: string,
  series: ReadonlyMap<number, BlockSeries>,
): (readonly [series: string, minMs: number, maxMs: number])[] {
  const bytes = readFileSync(join(dir, 'tombstones'));
  if (bytes.readUInt32BE(0) !== 0x0130ba30 || bytes[4] !== 1) throw new Error(`${dir}: a bad tombstones file`);
  checkCrc(bytes, 5, bytes.length - 9, 'tombstones');
  const cursor = new Cursor(bytes, 5);
  const out: [string, number, number][] = [];
  while (cursor.at < bytes.length - 4) {
    const ref = cursor.number();
    out.push([series.get(ref)?.labels.toString() ?? `ref ${ref}`, Number(cursor.varint()), Number(cursor.varint())]);
  }
  return out.sort(([a, from], [b, to]) => (a < b ? -1 : a > b ? 1 : from - to));
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc;
});

/** CRC-32C by table. */
export function crc32cOf(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}

function checkCrc(bytes: Buffer, at: number, length: number, what: string): void {
  const stored = bytes.readUInt32BE(at + length);
  const found = crc32cOf(bytes.subarray(at, at + length));
  if (stored !== found) throw new Error(`${what} at ${at}: checksum ${stored}, should be ${found}`);
}
