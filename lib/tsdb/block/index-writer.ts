import type { FileSystem } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { assert, type Labels, PromletError } from '../../model/index.ts';
import { writeU32, writeU64, writeUvarint, writeVarint } from './byte-reader.ts';
import {
  CRC_BYTES,
  INDEX_MAGIC,
  INDEX_TOC_BYTES,
  MAX_INDEX_BYTES,
  MAX_VARINT32_BYTES,
  MAX_VARINT64_BYTES,
  SERIES_ALIGN_BYTES,
} from './format.ts';
import type { ChunkMetas } from './index-series.ts';
import { OutputFile } from './output-file.ts';
import { PairTable } from './pair-table.ts';
import { BATCH_REFS, type Pause, POSTINGS_OVERHEAD_BYTES, PostingsWriter } from './postings-writer.ts';
import { crcOf } from './section.ts';
import { SymbolTable } from './symbol-table.ts';
import { Window, WindowFile } from './window-file.ts';

const INDEX_VERSION = 2;
/** Table entries between two pauses: a few ms. */
const SLICE_PAIRS = 8192;

/**
 * Writes an index of version 2, byte for byte as Prometheus 3.15 does (tsdb/index/index.go, `Writer`): symbols, series,
 * postings, postings offset table, table of contents; the label indices of old are left out, as there. First all symbols,
 * then all series, then `finish`. Memory: the symbols' texts and about 10 bytes each; some 32 bytes a distinct label
 * pair; 4 bytes a series; while postings are made, at most 16 MiB of them and of any one list the whole.
 */
export class IndexWriter {
  readonly #fileSystem: FileSystem;
  readonly #kernels: Kernels;
  readonly #file: OutputFile;
  readonly #batchRefs: number;
  readonly #symbols = new SymbolTable();
  readonly #pairs = new PairTable();
  /** Ids of label names, which every series asks for. */
  readonly #nameIds = new Map<string, number>();
  /** Offsets of the series, in units of SERIES_ALIGN_BYTES. */
  #refs = new Uint32Array(1024);
  #seriesCount = 0;
  #last: Labels | undefined;
  #lastIds: number[] = [];
  #entry = new Uint8Array(1024);
  readonly #symbolsAt: number;
  #seriesAt = -1;

  /**
   * @param batchRefs postings that are sorted at a time
   * @throws PromletError `storage/block-write`
   */
  constructor(fileSystem: FileSystem, kernels: Kernels, path: string, batchRefs: number = BATCH_REFS) {
    this.#fileSystem = fileSystem;
    this.#kernels = kernels;
    this.#batchRefs = batchRefs;
    this.#file = new OutputFile(fileSystem, kernels, path);
    this.#file.writeU32(INDEX_MAGIC);
    this.#file.write(Uint8Array.of(INDEX_VERSION));
    this.#symbolsAt = this.#file.offset;
    // Length and count of the symbols, which are known when all are there.
    this.#file.write(new Uint8Array(8));
  }

  get seriesCount(): number {
    return this.#seriesCount;
  }

  /** @throws PromletError `storage/bad-symbols` out of order, `storage/block-write` */
  addSymbol(symbol: string): void {
    assert(this.#seriesAt === -1, 'index writer: a symbol after the first series');
    const bytes = this.#symbols.add(symbol);
    const file = this.#file;
    const address = file.reserve(MAX_VARINT64_BYTES);
    file.advance(writeUvarint(this.#kernels.arena.u8, address, bytes.length) - address);
    file.write(bytes);
  }

  /**
   * @param chunks where the series' chunks lie; at least one
   * @throws PromletError `storage/bad-series` when series or chunks are out of order, `storage/bad-symbols`,
   *   `storage/block-write`
   */
  addSeries(labels: Labels, chunks: ChunkMetas): void {
    if (this.#seriesAt === -1) this.#finishSymbols();
    if (labels.size === 0 || (this.#last !== undefined && this.#last.compare(labels) >= 0)) {
      throw new PromletError('storage/bad-series', `series ${String(labels)} comes behind ${String(this.#last)}`);
    }
    const ids = this.#idsOf(labels);
    const file = this.#file;
    file.pad(SERIES_ALIGN_BYTES);
    if (file.offset >= MAX_INDEX_BYTES) {
      throw new PromletError(
        'storage/block-write',
        `${file.path}: an index cannot have more than ${MAX_INDEX_BYTES} bytes`,
      );
    }
    this.#addRef(file.offset / SERIES_ALIGN_BYTES);
    const length = this.#encode(labels, ids, chunks);
    const address = file.reserve(MAX_VARINT32_BYTES);
    file.advance(writeUvarint(this.#kernels.arena.u8, address, length) - address);
    file.writeU32(file.writeSummed(this.#entry.subarray(0, length), 0));
    for (let i = 0; i < ids.length; i += 2) this.#pairs.use(ids[i]!, ids[i + 1]!);
    this.#last = labels;
    this.#lastIds = ids;
  }

  /**
   * Writes the postings and all that follows, fsyncs and closes the file.
   * @param pause called every few ms
   * @throws PromletError `storage/block-write`, `storage/block-read`
   */
  async finish(pause: Pause): Promise<void> {
    if (this.#seriesAt === -1) this.#finishSymbols();
    const file = this.#file;
    const labelIndices = file.offset;
    this.#pairs.sort();
    file.pad(4);
    const postingsAt = file.offset;
    const postings = new PostingsWriter({
      fileSystem: this.#fileSystem,
      kernels: this.#kernels,
      file,
      pairs: this.#pairs,
      refs: this.#refs.subarray(0, this.#seriesCount),
      batchRefs: this.#batchRefs,
    });
    await postings.write(pause);
    const tableAt = file.offset;
    await this.#writeOffsetTable(postingsAt, pause);
    this.#writeContents([this.#symbolsAt, this.#seriesAt, labelIndices, tableAt, labelIndices, tableAt]);
    await file.finish();
  }

  /** Gives up without finishing. */
  close(): void {
    this.#file.close();
  }

  #finishSymbols(): void {
    const file = this.#file;
    const end = file.offset;
    const length = end - this.#symbolsAt - 4;
    if (length >= 2 ** 32) throw new PromletError('storage/block-write', `${file.path}: ${length} bytes of symbols`);
    const head = new Uint8Array(8);
    writeU32(head, writeU32(head, 0, length), this.#symbols.count);
    file.patch(head, this.#symbolsAt);
    // The count, known last, is under the checksum: it takes reading the symbols again.
    const window = new Window(this.#kernels);
    const written = new WindowFile(this.#fileSystem, file.path, window);
    try {
      file.writeU32(crcOf(this.#kernels, written, this.#symbolsAt + 4, length));
    } finally {
      written.close();
      window.release();
    }
    this.#seriesAt = file.offset;
  }

  /** Symbols of a series' labels: name, value, … What the series before has in the same place is not looked up. */
  #idsOf(labels: Labels): number[] {
    const { pairs } = labels;
    const last = this.#last?.pairs ?? [];
    const ids: number[] = [];
    for (let i = 0; i < pairs.length; i++) {
      const text = pairs[i]!;
      if (text === last[i]) ids.push(this.#lastIds[i]!);
      else if (i % 2 === 0) ids.push(this.#nameId(text));
      else ids.push(this.#symbols.id(text));
    }
    return ids;
  }

  #nameId(name: string): number {
    let id = this.#nameIds.get(name);
    if (id === undefined) this.#nameIds.set(name, (id = this.#symbols.id(name)));
    return id;
  }

  #addRef(ref: number): void {
    if (this.#seriesCount === this.#refs.length) {
      const refs = new Uint32Array(this.#seriesCount * 2);
      refs.set(this.#refs);
      this.#refs = refs;
    }
    this.#refs[this.#seriesCount++] = ref;
  }

  /** Puts the contents of a series entry into `#entry`. @returns their length */
  #encode(labels: Labels, ids: readonly number[], chunks: ChunkMetas): number {
    const maxBytes = (ids.length + 2) * MAX_VARINT32_BYTES + chunks.length * 3 * MAX_VARINT64_BYTES;
    if (maxBytes > this.#entry.length) this.#entry = new Uint8Array(maxBytes * 2);
    const entry = this.#entry;
    let at = writeUvarint(entry, 0, ids.length / 2);
    for (const id of ids) at = writeUvarint(entry, at, id);
    at = writeUvarint(entry, at, chunks.length);
    let lastTimeMs = 0;
    let lastRef = 0;
    for (let i = 0; i < chunks.length; i++) {
      const minTimeMs = chunks.minTimesMs[i]!;
      const maxTimeMs = chunks.maxTimesMs[i]!;
      const ref = chunks.segments[i]! * 2 ** 32 + chunks.offsets[i]!;
      if ((i > 0 && minTimeMs <= lastTimeMs) || maxTimeMs < minTimeMs) {
        throw new PromletError(
          'storage/bad-series',
          `${String(labels)}: chunk from ${minTimeMs} to ${maxTimeMs} behind ${lastTimeMs}`,
        );
      }
      assert(ref > lastRef, 'index writer: chunks lie out of order');
      at = i === 0 ? writeVarint(entry, at, minTimeMs) : writeUvarint(entry, at, minTimeMs - lastTimeMs);
      at = writeUvarint(entry, at, maxTimeMs - minTimeMs);
      at = i === 0 ? writeUvarint(entry, at, ref) : writeVarint(entry, at, ref - lastRef);
      lastTimeMs = maxTimeMs;
      lastRef = ref;
    }
    return at;
  }

  async #writeOffsetTable(postingsAt: number, pause: Pause): Promise<void> {
    const file = this.#file;
    const { names, values, uses, count } = this.#pairs;
    const start = file.offset;
    file.writeU32(0);
    const head = new Uint8Array(4);
    writeU32(head, 0, count + 1);
    let crc = file.writeSummed(head, 0);
    let offset = postingsAt;
    const none = new Uint8Array(0);
    crc = this.#writeEntry(none, none, offset, crc);
    offset += POSTINGS_OVERHEAD_BYTES + 4 * this.#seriesCount;
    for (let pair = 0; pair < count; pair++) {
      if (pair % SLICE_PAIRS === SLICE_PAIRS - 1) await pause();
      crc = this.#writeEntry(this.#symbols.bytes(names[pair]!), this.#symbols.bytes(values[pair]!), offset, crc);
      offset += POSTINGS_OVERHEAD_BYTES + 4 * uses[pair]!;
    }
    assert(offset === start, 'index writer: postings do not lie where the table says');
    const length = file.offset - start - 4;
    if (length >= 2 ** 32) {
      throw new PromletError('storage/block-write', `${file.path}: a postings offset table of ${length} bytes`);
    }
    writeU32(head, 0, length);
    file.patch(head, start);
    file.writeU32(crc);
  }

  /** @returns the checksum with the entry */
  #writeEntry(name: Uint8Array, value: Uint8Array, offset: number, crc: number): number {
    const length = name.length + value.length + 1 + 3 * MAX_VARINT64_BYTES;
    if (length > this.#entry.length) this.#entry = new Uint8Array(length * 2);
    const entry = this.#entry;
    entry[0] = 2;
    let at = writeUvarint(entry, 1, name.length);
    entry.set(name, at);
    at = writeUvarint(entry, at + name.length, value.length);
    entry.set(value, at);
    at = writeUvarint(entry, at + value.length, offset);
    return this.#file.writeSummed(entry.subarray(0, at), crc);
  }

  #writeContents(offsets: readonly number[]): void {
    const bytes = new Uint8Array(INDEX_TOC_BYTES - CRC_BYTES);
    let at = 0;
    for (const offset of offsets) at = writeU64(bytes, at, offset);
    this.#file.writeU32(this.#file.writeSummed(bytes, 0));
  }
}
