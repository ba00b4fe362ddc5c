import { join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';
import { Encoding, MAX_CHUNK_BYTES } from '../../chunk/index.ts';
import { ByteReader, readU32 } from './byte-reader.ts';
import {
  badBlock,
  CHUNKS_DIRECTORY,
  CHUNKS_MAGIC,
  CHUNKS_VERSION,
  CRC_BYTES,
  MAX_VARINT32_BYTES,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from './format.ts';
import type { PositionedFile } from './positioned-file.ts';

/** Far more than any block has; bounds the list that a stray name could make. */
const MAX_SEGMENTS = 1 << 20;
const SEGMENT_NAME = /^\d{6,}$/;
const ENCODINGS: ReadonlySet<number> = new Set(Object.values(Encoding));

/** A chunk as it was read: `bytes` lie in the arena and are valid until the next read through the same cache. */
export interface ReadChunk {
  readonly encoding: Encoding;
  readonly bytes: Uint8Array;
  /** As `Chunk.crc`. */
  readonly crc: number;
}

/** The chunk segments of a block (tsdb/chunks/chunks.go, `Reader`). */
export class ChunkReader {
  readonly sizeBytes: number;
  readonly #kernels: Kernels;
  readonly #dir: string;
  /** By number, counted from 0: file 000001 is segment 0. */
  readonly #segments: readonly (PositionedFile | undefined)[];
  readonly #reader = new ByteReader();
  /** See `stretch`. */
  address = 0;

  /**
   * Opens all segments of a block and checks their headers. A missing one is an error only when a chunk in it is read.
   * @param open how a file is to be read
   * @throws PromletError `storage/bad-block`, `storage/block-read`
   */
  constructor(fileSystem: FileSystem, kernels: Kernels, blockDir: string, open: (path: string) => PositionedFile) {
    this.#kernels = kernels;
    this.#dir = join(blockDir, CHUNKS_DIRECTORY);
    const segments: (PositionedFile | undefined)[] = [];
    this.#segments = segments;
    let sizeBytes = 0;
    try {
      for (const number of segmentNumbers(fileSystem, this.#dir)) {
        const file = open(join(this.#dir, segmentName(number)));
        segments[number - 1] = file;
        checkHeader(kernels, file);
        sizeBytes += file.sizeBytes;
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.sizeBytes = sizeBytes;
  }

  /**
   * Reads one chunk and checks its CRC.
   * @param segment counted from 0, as series name it
   * @throws PromletError `storage/bad-block`, `storage/block-read`
   */
  read(segment: number, offset: number): ReadChunk {
    const { arena, wasm } = this.#kernels;
    const file = this.#segments[segment];
    if (file === undefined)
      throw badBlock(join(this.#dir, segmentName(segment + 1)), offset, 'the file is missing that holds a chunk');
    const room = file.sizeBytes - offset;
    if (offset < SEGMENT_HEADER_BYTES || room <= 0) throw badBlock(file.path, offset, 'no chunk can be');
    const head = Math.min(MAX_VARINT32_BYTES, room);
    const reader = this.#reader.load(arena, file, offset, head);
    const length = reader.uvarint();
    const contents = reader.offset;
    if (length > MAX_CHUNK_BYTES || contents + 1 + length + CRC_BYTES > file.sizeBytes) {
      throw badBlock(file.path, offset, `a chunk of ${length} bytes goes beyond the segment`);
    }
    const address = file.at(contents, 1 + length + CRC_BYTES);
    const { u8 } = arena;
    const crc = readU32(u8, address + 1 + length);
    if (wasm.crc32c(0, address, 1 + length) >>> 0 !== crc) {
      throw badBlock(file.path, offset, 'a chunk does not match its checksum');
    }
    const encoding = u8[address]!;
    if (!ENCODINGS.has(encoding)) throw badBlock(file.path, offset, `chunk encoding ${encoding} is not known`);
    return { encoding: encoding as Encoding, bytes: u8.subarray(address + 1, address + 1 + length), crc };
  }

  /**
   * Brings the bytes at which a chunk begins into the arena, to `address`, as many as lie there together.
   * @returns how many; 0 when no chunk can be there, which `read` says more of
   * @throws PromletError `storage/block-read`
   */
  stretch(segment: number, offset: number): number {
    const file = this.#segments[segment];
    if (file === undefined || offset < SEGMENT_HEADER_BYTES || offset >= file.sizeBytes) return 0;
    const length = file.stretch(offset);
    this.address = file.at(offset, length);
    return length;
  }

  /**
   * Brings the chunks of a series that lie there together, and little else, into the arena, to `address`: `length` bytes, or those
   * up to the end of the file. They are not kept.
   * @returns how many; 0 when no chunk can be there, which `read` says more of
   * @throws PromletError `storage/block-read`
   */
  piece(segment: number, offset: number, length: number): number {
    const file = this.#segments[segment];
    if (file === undefined || offset < SEGMENT_HEADER_BYTES || offset >= file.sizeBytes) return 0;
    const available = Math.min(length, file.sizeBytes - offset);
    this.address = file.at(offset, available, false);
    return available;
  }

  close(): void {
    for (const file of this.#segments) file?.close();
  }
}

/** @throws PromletError `storage/block-read` */
function segmentNumbers(fileSystem: FileSystem, dir: string): number[] {
  let names: string[];
  try {
    names = fileSystem.readdirSync(dir);
  } catch (cause) {
    throw new PromletError('storage/block-read', `cannot list ${dir}: ${errorMessage(cause)}`, { cause });
  }
  return names
    .filter((name) => SEGMENT_NAME.test(name))
    .map(Number)
    .filter((number) => number > 0 && number <= MAX_SEGMENTS)
    .sort((a, b) => a - b);
}

function checkHeader({ arena }: Kernels, file: PositionedFile): void {
  const address = file.at(0, SEGMENT_HEADER_BYTES);
  const magic = readU32(arena.u8, address);
  if (magic !== CHUNKS_MAGIC) throw badBlock(file.path, 0, `magic number ${magic.toString(16)} is not that of chunks`);
  const version = arena.u8[address + 4]!;
  if (version !== CHUNKS_VERSION) throw badBlock(file.path, 4, `chunk format version ${version} is not known`);
}
