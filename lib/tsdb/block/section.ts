import type { Kernels } from '../../kernels/index.ts';
import { badBlock, CRC_BYTES, MAX_SYMBOL_BYTES, MAX_VARINT64_BYTES } from './format.ts';
import { ByteReader, readU32 } from './byte-reader.ts';
import type { PositionedFile } from './positioned-file.ts';

/** Bytes that are checked or decoded at a time. */
const SLICE_BYTES = 16 << 10;

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
  const length = readU32(kernels.arena.u8, file.at(at, 4));
  const offset = at + 4;
  if (offset + length + CRC_BYTES > file.sizeBytes) {
    throw badBlock(file.path, at, `${what} of ${length} bytes goes beyond the end of the file`);
  }
  const crc = crcOf(kernels, file, offset, length);
  if (crc !== readU32(kernels.arena.u8, file.at(offset + length, CRC_BYTES))) {
    throw badBlock(file.path, at, `${what} does not match its checksum`);
  }
  return { offset, length };
}

/** Walks the entries of a section, of any length, with little of it in memory. */
export class SectionReader {
  readonly #kernels: Kernels;
  readonly #file: PositionedFile;
  readonly #end: number;
  readonly #reader = new ByteReader();
  /** Offset in the file of what is read next. */
  offset: number;

  constructor(kernels: Kernels, file: PositionedFile, section: Section, from: number) {
    this.#kernels = kernels;
    this.#file = file;
    this.#end = section.offset + section.length;
    this.offset = from;
  }

  u32(): number {
    const value = this.#peek(4).u32();
    this.offset += 4;
    return value;
  }

  uvarint(): number {
    const reader = this.#peek(MAX_VARINT64_BYTES);
    const value = reader.uvarint();
    this.offset = reader.offset;
    return value;
  }

  /** A text behind its length. */
  text(): string {
    const length = this.#textLength();
    const text = this.#peek(length).text(length);
    this.offset += length;
    return text;
  }

  skipText(): void {
    const length = this.#textLength();
    this.offset += length;
    if (this.offset > this.#end) this.fail('a text goes beyond its section');
  }

  fail(reason: string): never {
    throw badBlock(this.#file.path, this.offset, reason);
  }

  #textLength(): number {
    const length = this.uvarint();
    if (length > MAX_SYMBOL_BYTES) this.fail(`a text of ${length} bytes`);
    return length;
  }

  /** A reader over the next `length` bytes, or fewer where the section ends. */
  #peek(length: number): ByteReader {
    const count = Math.max(0, Math.min(length, this.#end - this.offset));
    const address = count > 0 ? this.#file.at(this.offset, count) : 0;
    return this.#reader.reset(this.#file, this.offset, this.#kernels.arena.u8, address, count);
  }
}
