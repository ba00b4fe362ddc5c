import { type Kernels, Scratch } from '../../kernels/index.ts';
import { Labels, type PackedTexts } from '../../model/index.ts';
import type { Spend } from '../../storage/index.ts';
import { MAX_TIME_MS } from '../limits.ts';
import { SORT_WORK } from '../postings.ts';
import type { PostingsSource, ValueTest, Watch } from '../select.ts';
import { ByteReader, readU32 } from './byte-reader.ts';
import {
  badBlock,
  CRC_BYTES,
  INDEX_HEADER_BYTES,
  INDEX_MAGIC,
  INDEX_TOC_BYTES,
  MAX_INDEX_BYTES,
  MAX_SERIES_ENTRY_BYTES,
  MAX_SERIES_LABELS,
  MAX_VARINT32_BYTES,
  SERIES_ALIGN_BYTES,
} from './format.ts';
import { IndexSeries } from './index-series.ts';
import { LastPostings } from './last-postings.ts';
import { type PositionedFile, u32At } from './positioned-file.ts';
import { type PostingsOffsets, SampledPostingsOffsets, WholePostingsOffsets } from './postings-table.ts';
import { crcOf } from './section.ts';
import { Symbols } from './symbols.ts';

/** Offsets of the sections, as the end of the file states them. */
interface TableOfContents {
  readonly symbols: number;
  readonly series: number;
  /** Where series end. */
  readonly labelIndices: number;
  readonly postingsTable: number;
}

/** Postings that are decoded at a time. */
const POSTINGS_SLICE = 4096;

/**
 * The index of a block, versions 1 and 2 (tsdb/index/index.go, `Reader`). Table of contents, symbols and postings offset
 * table are checked when it is opened, each entry of series and postings whenever it is read. In memory lie, per open
 * block: the label names, 4 bytes for every 8 symbols and for every 32 label pairs, the texts used last (about 60 kB), and the
 * postings used last (64 kB).
 */
export class IndexReader implements PostingsSource {
  readonly version: number;
  readonly isSorted = true;
  readonly symbols: Symbols;
  readonly #kernels: Kernels;
  readonly #file: PositionedFile;
  readonly #toc: TableOfContents;
  readonly #offsets: PostingsOffsets;
  readonly #reader = new ByteReader();
  readonly #scratch = new IndexSeries();
  readonly #lists = new LastPostings();
  /** See `stretch`. */
  address = 0;

  /**
   * @param file for what is read later
   * @param from the same file, for what is read once from front to back now
   * @throws PromletError `storage/bad-block`, `storage/block-read`
   */
  constructor(kernels: Kernels, file: PositionedFile, from: PositionedFile) {
    this.#kernels = kernels;
    this.#file = file;
    this.version = readHeader(kernels, from);
    this.#toc = readContents(kernels, from);
    this.symbols = new Symbols(kernels, file, from, this.#toc.symbols, this.version);
    this.#offsets =
      this.version === 1
        ? new WholePostingsOffsets(kernels, from, this.#toc.postingsTable)
        : new SampledPostingsOffsets(kernels, file, from, this.#toc.postingsTable);
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  labelNames(): string[] {
    return this.#offsets.names();
  }

  labelValues(name: string, limit = Infinity): string[] {
    const values: string[] = [];
    this.#offsets.walk(name, '', (value) => values.push(value) < limit);
    return values;
  }

  allPostings(spend?: Spend): Uint32Array {
    return this.postings('', '', spend);
  }

  postings(name: string, value: string, spend?: Spend): Uint32Array {
    const pair = `${name.length}:${name}${value}`;
    const known = this.#lists.get(pair);
    if (known !== undefined) return known;
    const offset = this.#offsets.find(name, value);
    const refs = offset === undefined ? new Uint32Array(0) : this.#decodePostings(offset, spend);
    this.#lists.add(pair, refs);
    return refs;
  }

  postingsWhere(name: string, test: ValueTest, watch: Watch): Uint32Array {
    return this.#unionAt(this.#offsets.offsetsWhere(name, test, watch), watch.spend);
  }

  /** The first values of a label in order; undefined where they are not at hand as bytes. */
  packedValues(name: string, limit: number): PackedTexts | undefined {
    return this.#offsets.packedValues(name, limit);
  }

  /** All values of a label in order, with the series that have each. */
  *valuePostings(name: string): Generator<[value: string, refs: Uint32Array], void, undefined> {
    const offsets: [string, number][] = [];
    this.#offsets.walk(name, '', (value, offset) => offsets.push([value, offset]) > 0);
    for (const [value, offset] of offsets) yield [value, this.#decodePostings(offset)];
  }

  valueCount(name: string): number {
    return this.#offsets.valueCount(name);
  }

  filter(refs: Uint32Array, name: string, accepts: (value: string) => boolean): Uint32Array {
    const kept = new Uint32Array(refs.length);
    let count = 0;
    const decided = new Map<number, boolean>();
    const acceptsId = (id: number): boolean => {
      let accepted = decided.get(id);
      if (accepted === undefined) decided.set(id, (accepted = accepts(this.symbols.lookup(id))));
      return accepted;
    };
    const acceptsNone = accepts('');
    for (const ref of refs) {
      this.#readLabelIds(this.#entry(ref, this.#file), this.#scratch);
      const id = this.#valueId(name);
      if (id === -1 ? acceptsNone : acceptsId(id)) kept[count++] = ref;
    }
    return kept.subarray(0, count);
  }

  labelNamesOf(refs: Uint32Array): Set<string> {
    const found = new Set<number>();
    for (const ref of refs) {
      this.#readLabelIds(this.#entry(ref, this.#file), this.#scratch);
      const { symbols, labelCount } = this.#scratch;
      for (let i = 0; i < 2 * labelCount; i += 2) found.add(symbols[i]!);
    }
    return this.#texts(found);
  }

  labelValuesOf(refs: Uint32Array, name: string): Set<string> {
    const found = new Set<number>();
    for (const ref of refs) {
      this.#readLabelIds(this.#entry(ref, this.#file), this.#scratch);
      const id = this.#valueId(name);
      if (id !== -1) found.add(id);
    }
    return this.#texts(found);
  }

  /**
   * Reads the entry of a series.
   * @param file the index through which it is read; the default is that for queries
   * @throws PromletError `storage/bad-block` when the ref names no sound entry, `storage/block-read`
   */
  series(ref: number, into: IndexSeries, file: PositionedFile = this.#file): void {
    const reader = this.#entry(ref, file);
    this.#readLabelIds(reader, into);
    readChunkMetas(reader, into);
  }

  /** The labels of an entry that was read. */
  labels({ symbols, labelCount }: IndexSeries): Labels {
    return this.labelsOf(symbols, 0, 2 * labelCount);
  }

  /** Labels by the symbols from index `from` to `end`: name, value, name, … */
  labelsOf(symbols: Uint32Array, from: number, end: number): Labels {
    const pairs: string[] = [];
    for (let i = from; i < end; i++) pairs.push(this.symbols.lookup(symbols[i]!));
    return new Labels(pairs);
  }

  /**
   * Brings the bytes at which the entry of a series begins into the arena, to `address`, as many as lie there together.
   * @returns how many; 0 when none can be there, which `series` says more of
   * @throws PromletError `storage/block-read`
   */
  stretch(ref: number): number {
    const { series, labelIndices } = this.#toc;
    const offset = this.#offsetOf(ref);
    if (offset < series || offset >= labelIndices) return 0;
    const length = Math.min(this.#file.stretch(offset), labelIndices - offset);
    this.address = this.#file.at(offset, length);
    return length;
  }

  close(): void {
    this.#file.close();
  }

  #texts(ids: Iterable<number>): Set<string> {
    const texts = new Set<string>();
    for (const id of ids) texts.add(this.symbols.lookup(id));
    return texts;
  }

  /** The symbol of the value that the series in `#scratch` has for a label; -1 when it lacks it. */
  #valueId(name: string): number {
    const { symbols, labelCount } = this.#scratch;
    for (let i = 0; i < 2 * labelCount; i += 2) if (this.symbols.lookup(symbols[i]!) === name) return symbols[i + 1]!;
    return -1;
  }

  /** Where the entry of a series lies. */
  #offsetOf(ref: number): number {
    return this.version === 1 ? ref : ref * SERIES_ALIGN_BYTES;
  }

  /** A reader over the checked contents of a series entry. */
  #entry(ref: number, file: PositionedFile): ByteReader {
    const { arena, wasm } = this.#kernels;
    const { series, labelIndices } = this.#toc;
    const offset = this.#offsetOf(ref);
    const room = labelIndices - offset;
    if (offset < series || room <= CRC_BYTES) throw badBlock(file.path, offset, `${ref} names no series`);
    const head = Math.min(MAX_VARINT32_BYTES, room);
    const reader = this.#reader.load(arena, file, offset, head);
    const length = reader.uvarint();
    const contents = reader.offset;
    if (length > MAX_SERIES_ENTRY_BYTES || contents + length + CRC_BYTES > labelIndices) {
      throw badBlock(file.path, offset, `a series entry of ${length} bytes goes beyond the series`);
    }
    const address = file.at(contents, length + CRC_BYTES);
    if (wasm.crc32c(0, address, length) >>> 0 !== readU32(arena.u8, address + length)) {
      throw badBlock(file.path, offset, 'a series entry does not match its checksum');
    }
    return reader.reset(file, contents, arena.u8, address, length);
  }

  #readLabelIds(reader: ByteReader, into: IndexSeries): void {
    const count = reader.uvarint();
    if (2 * count > reader.left || count > MAX_SERIES_LABELS) {
      reader.fail(`a series with ${count} labels in ${reader.left} bytes`);
    }
    into.reserveLabels(count);
    const { symbols } = into;
    for (let i = 0; i < 2 * count; i++) {
      const id = reader.uvarint();
      if (id >= 2 ** 32) reader.fail(`symbol ${id} is named`);
      symbols[i] = id;
    }
    into.labelCount = count;
  }

  /** The refs of lists that share none. They may be many, each asked for once: none is kept. */
  #unionAt(offsets: readonly number[], spend: Spend | undefined): Uint32Array {
    const { arena, wasm } = this.#kernels;
    const file = this.#file;
    const refs = new Scratch(arena);
    try {
      refs.reserve(4 * POSTINGS_SLICE);
      let count = 0;
      for (const offset of offsets) {
        const available = Math.max(0, file.stretch(offset));
        const room = (refs.capacity >>> 2) - count;
        const read = wasm.readPostings(file.at(offset, available), available, refs.address + 4 * count, room);
        if (read < 0) {
          // A long one, of which there are few, or one that is damaged.
          const list = this.#decodePostings(offset);
          refs.grow(4 * (count + list.length), 4 * count);
          arena.u32.set(list, (refs.address >>> 2) + count);
          count += list.length;
        } else count += read;
      }
      if (offsets.length > 1) spend?.(SORT_WORK * count);
      return arena.u32.slice(refs.address >>> 2, (refs.address >>> 2) + count).sort();
    } finally {
      refs.release();
    }
  }

  /** Decodes a postings list, slice by slice. */
  #decodePostings(offset: number, spend?: Spend): Uint32Array {
    const { arena, wasm } = this.#kernels;
    const file = this.#file;
    const length = u32At(arena, file, offset);
    const count = u32At(arena, file, offset + 4);
    if (length !== 4 + 4 * count || offset + 4 + length + CRC_BYTES > file.sizeBytes) {
      throw badBlock(file.path, offset, `postings of ${length} bytes with ${count} entries`);
    }
    spend?.(count);
    const refs = new Uint32Array(count);
    // Copied, turned round and checked by code that is fast from the first call on: most queries come seldom.
    const bytes = Buffer.from(refs.buffer);
    let crc = wasm.crc32c(0, file.at(offset + 4, 4), 4);
    let least = 0;
    for (let from = 0; from < bytes.length; from += 4 * POSTINGS_SLICE) {
      const end = Math.min(bytes.length, from + 4 * POSTINGS_SLICE);
      const at = file.at(offset + 8 + from, end - from);
      crc = wasm.crc32c(crc, at, end - from);
      if (wasm.postingsAscend(at, (end - from) / 4, least) === 0) {
        throw badBlock(file.path, offset, 'postings out of order');
      }
      bytes.set(arena.u8.subarray(at, at + end - from), from);
      bytes.subarray(from, end).swap32();
      least = refs[end / 4 - 1]! + 1;
    }
    if (crc >>> 0 !== u32At(arena, file, offset + 4 + length)) {
      throw badBlock(file.path, offset, 'postings do not match their checksum');
    }
    return refs;
  }
}

function readChunkMetas(reader: ByteReader, { chunks }: IndexSeries): void {
  chunks.length = 0;
  const count = reader.uvarint();
  if (3 * count > reader.left) reader.fail(`a series with ${count} chunks in ${reader.left} bytes`);
  let maxTimeMs = 0;
  let ref = 0;
  for (let i = 0; i < count; i++) {
    const minTimeMs = i === 0 ? reader.varint() : maxTimeMs + reader.uvarint();
    maxTimeMs = minTimeMs + reader.uvarint();
    ref = i === 0 ? reader.uvarint() : ref + reader.varint();
    if (minTimeMs < -MAX_TIME_MS || maxTimeMs > MAX_TIME_MS) reader.fail('chunk time out of range');
    if (ref < 0 || ref > Number.MAX_SAFE_INTEGER) reader.fail('chunk reference out of range');
    const segment = Math.floor(ref / 2 ** 32);
    chunks.push(minTimeMs, maxTimeMs, segment, ref - segment * 2 ** 32);
  }
}

/** @returns the version */
function readHeader({ arena }: Kernels, file: PositionedFile): number {
  const address = file.at(0, INDEX_HEADER_BYTES);
  const magic = readU32(arena.u8, address);
  if (magic !== INDEX_MAGIC) throw badBlock(file.path, 0, `magic number ${magic.toString(16)} is not that of an index`);
  const version = arena.u8[address + 4]!;
  if (version !== 1 && version !== 2) throw badBlock(file.path, 4, `index version ${version} is not known`);
  return version;
}

function readContents(kernels: Kernels, file: PositionedFile): TableOfContents {
  const start = file.sizeBytes - INDEX_TOC_BYTES;
  if (start < INDEX_HEADER_BYTES) throw badBlock(file.path, 0, `an index of ${file.sizeBytes} bytes`);
  if (file.sizeBytes > MAX_INDEX_BYTES) throw badBlock(file.path, 0, `an index of more than ${MAX_INDEX_BYTES} bytes`);
  const length = INDEX_TOC_BYTES - CRC_BYTES;
  const crc = crcOf(kernels, file, start, length);
  const reader = new ByteReader().load(kernels.arena, file, start, INDEX_TOC_BYTES);
  const [symbols = 0, series = 0, labelIndices = 0, , , postingsTable = 0] = Array.from({ length: 6 }, () =>
    reader.u64(),
  );
  if (crc !== reader.u32()) throw badBlock(file.path, start, 'table of contents does not match its checksum');
  const ordered = symbols >= INDEX_HEADER_BYTES && symbols < series && series <= labelIndices;
  if (!ordered || labelIndices > start || postingsTable < labelIndices || postingsTable > start - 8) {
    throw badBlock(file.path, start, 'table of contents has sections that do not fit');
  }
  return { symbols, series, labelIndices, postingsTable };
}
