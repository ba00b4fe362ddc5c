import type { Kernels } from '../../kernels/index.ts';
import { badBlock, CRC_BYTES, MAX_SYMBOL_BYTES, MAX_VARINT64_BYTES } from './format.ts';
import { ByteReader } from './byte-reader.ts';
import type { LastText } from './last-text.ts';
import { type PositionedFile, u32At } from './positioned-file.ts';

/** Bytes that are checked at a time, and that are walked over at a time. */
const SLICE_BYTES = 16 << 10;
const READ_BYTES = 512;

/** CRC-32C of a stretch of a file, in slices. */
export function crcOf(kernels: Kernels, file: PositionedFile, offset: number, length: number): number {
  let crc = 0;
  for (let done = 0; done < length; done += SLICE_BYTES) {
    const count = Math.min(SLICE_BYTES, length - done);
    crc = kernels.wasm.crc32c(crc, file.at(offset + done, count), count);
  }
  return crc >>> 0;
}

/** A stretch of an index: u32 length, contents, CRC of the contents. */
export interface Section {
  /** Offset of the contents in the file, and their length. */
  readonly offset: number;
  readonly length: number;
}

/**
 * Finds a section and checks its CRC, reading it in slices.
 * @throws PromletError `storage/bad-block`, `storage/block-read`
 */
export function openSection(kernels: Kernels, file: PositionedFile, at: number, what: string): Section {
  const length = u32At(kernels.arena, file, at);
  const offset = at + 4;
  if (offset + length + CRC_BYTES > file.sizeBytes) {
    throw badBlock(file.path, at, `${what} of ${length} bytes goes beyond the end of the file`);
  }
  const crc = crcOf(kernels, file, offset, length);
  if (crc !== u32At(kernels.arena, file, offset + length)) {
    throw badBlock(file.path, at, `${what} does not match its checksum`);
  }
  return { offset, length };
}

/**
 * Walks the entries of a section, of any length, with little of it in memory. Nothing else may be read through the same
 * cache between two calls, but before a `seek`.
 */
export class SectionReader {
  readonly #kernels: Kernels;
  readonly #file: PositionedFile;
  readonly #end: number;
  /** Over the bytes that are in memory. */
  readonly #reader = new ByteReader();

  constructor(kernels: Kernels, file: PositionedFile, section: Section, from: number) {
    this.#kernels = kernels;
    this.#file = file;
    this.#end = section.offset + section.length;
    this.seek(from);
  }

  /** Offset in the file of what is read next. */
  get offset(): number {
    return this.#reader.offset;
  }

  seek(offset: number): void {
    this.#reader.reset(this.#file, offset, this.#kernels.arena.u8, 0, 0);
  }

  u32(): number {
    return this.#have(4).u32();
  }

  uvarint(): number {
    return this.#have(MAX_VARINT64_BYTES).uvarint();
  }

  /** A text behind its length. */
  text(): string {
    const length = this.#textLength();
    return this.#have(length).text(length);
  }

  /** Reads a text in the place of `last`. @returns how it compares to it, see LastText */
  replaceText(last: LastText): number {
    const length = this.#textLength();
    return this.#have(length).replaceText(length, last);
  }

  skipText(): void {
    const length = this.#textLength();
    if (length <= this.#reader.left) this.#reader.skip(length);
    else if (this.offset + length <= this.#end) this.seek(this.offset + length);
    else this.fail('a text goes beyond its section');
  }

  skipTexts(count: number): void {
    while (count > 0) {
      count -= this.#reader.skipShortTexts(count);
      if (count-- > 0) this.skipText();
    }
  }

  fail(reason: string): never {
    throw badBlock(this.#file.path, this.offset, reason);
  }

  #textLength(): number {
    const length = this.uvarint();
    if (length > MAX_SYMBOL_BYTES) this.fail(`a text of ${length} bytes`);
    return length;
  }

  /** The reader, with the next `length` bytes in memory, or fewer where the section ends. */
  #have(length: number): ByteReader {
    const reader = this.#reader;
    if (reader.left >= length) return reader;
    const { offset } = reader;
    const count = Math.min(Math.max(length, READ_BYTES), this.#end - offset);
    if (count <= reader.left) return reader;
    return reader.load(this.#kernels.arena, this.#file, offset, count);
  }
}
