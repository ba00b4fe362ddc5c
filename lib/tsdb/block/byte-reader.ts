import type { SharedArena } from '../../kernels/index.ts';
import { badBlock } from './format.ts';
import type { LastText } from './last-text.ts';

/** What errors name. */
interface NamedFile {
  readonly path: string;
}

/** See PositionedFile. */
interface ArenaFile extends NamedFile {
  at(offset: number, length: number): number;
}

/** The arena as it was last seen, as the Buffer that decodes text fastest: 0.1 µs a text, half of what TextDecoder takes. */
let lastBytes: Uint8Array | undefined;
let lastBuffer: Buffer = Buffer.alloc(0);

function bufferOf(bytes: Uint8Array): Buffer {
  if (bytes !== lastBytes) {
    lastBytes = bytes;
    lastBuffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  return lastBuffer;
}

/**
 * Steps through bytes that are in memory (tsdb/encoding, `Decbuf`). Numbers are doubles: one beyond 2^53 is an error,
 * as is reading beyond the end; both name file and offset.
 */
export class ByteReader {
  #bytes: Uint8Array = new Uint8Array(0);
  /** Index into the bytes of what is read next. */
  position = 0;
  #end = 0;
  #file: NamedFile = { path: '' };
  /** Offset in the file of the byte at index 0, negative when the bytes lie behind others. */
  #base = 0;

  /** From `length` bytes at index `start`, which lie at `offset` of the file. */
  reset(file: NamedFile, offset: number, bytes: Uint8Array, start: number, length: number): this {
    this.#file = file;
    this.#base = offset - start;
    this.#bytes = bytes;
    this.position = start;
    this.#end = start + length;
    return this;
  }

  /** From `length` bytes at `offset` of a file, which are brought into the arena. */
  load(arena: SharedArena, file: ArenaFile, offset: number, length: number): this {
    const address = file.at(offset, length);
    return this.reset(file, offset, arena.u8, address, length);
  }

  get left(): number {
    return this.#end - this.position;
  }

  /** Where in the file. */
  get offset(): number {
    return this.#base + this.position;
  }

  fail(reason: string): never {
    throw badBlock(this.#file.path, this.offset, reason);
  }

  skip(count: number): void {
    if (count > this.left) this.fail('bytes end early');
    this.position += count;
  }

  u8(): number {
    if (this.position >= this.#end) this.fail('bytes end early');
    return this.#bytes[this.position++]!;
  }

  u32(): number {
    const at = this.position;
    this.skip(4);
    const bytes = this.#bytes;
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }

  /** @returns Infinity above 2^53 */
  u64(): number {
    const high = this.u32();
    const low = this.u32();
    return high < 1 << 21 ? high * 2 ** 32 + low : Infinity;
  }

  uvarint(): number {
    const first = this.u8();
    return first < 0x80 ? first : this.#rest(first & 0x7f, 0x80);
  }

  /** Zigzag. */
  varint(): number {
    const first = this.u8();
    // Without the sign's bit first, so that the magnitude has all 53 bits.
    const magnitude = first < 0x80 ? first >>> 1 : this.#rest((first & 0x7f) >>> 1, 0x40);
    return first & 1 ? -1 - magnitude : magnitude;
  }

  /** A zigzag time in ms; Go's smallest and largest, which stand for no limit, become ±2^63. */
  time(): number {
    const first = this.u8();
    const magnitude = first < 0x80 ? first >>> 1 : this.#rest((first & 0x7f) >>> 1, 0x40, 2 ** 63);
    return first & 1 ? -1 - magnitude : magnitude;
  }

  text(length: number): string {
    const start = this.position;
    this.skip(length);
    return bufferOf(this.#bytes).toString('utf8', start, start + length);
  }

  /** Reads a text in the place of `last`. @returns how it compares to it */
  replaceText(length: number, last: LastText): number {
    const start = this.position;
    this.skip(length);
    return last.replace(this.#bytes, start, length);
  }

  /** Steps over up to `count` texts that lie here whole behind lengths of one byte. @returns how many */
  skipShortTexts(count: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let at = this.position;
    let skipped = 0;
    while (skipped < count && at < end) {
      const length = bytes[at]!;
      if (length >= 0x80 || at + length >= end) break;
      at += 1 + length;
      skipped++;
    }
    this.position = at;
    return skipped;
  }

  #rest(value: number, scale: number, max: number = Number.MAX_SAFE_INTEGER): number {
    for (let byte = 0x80; byte >= 0x80; scale *= 0x80) {
      byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (scale > 2 ** 63 || value > max) this.fail('number out of range');
    }
    return value;
  }
}

/** Writes an unsigned varint. @returns the index behind it */
export function writeUvarint(bytes: Uint8Array, at: number, value: number): number {
  while (value >= 0x80) {
    bytes[at++] = (value % 0x80) | 0x80;
    value = Math.floor(value / 0x80);
  }
  bytes[at++] = value;
  return at;
}

/** Writes a zigzag varint. @returns the index behind it */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  const sign = value < 0 ? 1 : 0;
  const magnitude = sign === 1 ? -1 - value : value;
  const first = ((magnitude % 0x40) << 1) | sign;
  if (magnitude < 0x40) {
    bytes[at] = first;
    return at + 1;
  }
  bytes[at] = first | 0x80;
  return writeUvarint(bytes, at + 1, Math.floor(magnitude / 0x40));
}

export function writeU32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
  return at + 4;
}

export function writeU64(bytes: Uint8Array, at: number, value: number): number {
  return writeU32(bytes, writeU32(bytes, at, Math.floor(value / 2 ** 32)), value);
}

/** The big-endian u32 at an index. */
export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
