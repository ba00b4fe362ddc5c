import { join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { PromletError } from '../../model/index.ts';
import type { Interval } from '../../chunk/index.ts';
import { MAX_TIME_MS } from '../limits.ts';
import { Tombstones } from '../tombstones.ts';
import { ByteReader, writeU32, writeUvarint, writeVarint } from './byte-reader.ts';
import {
  badBlock,
  CRC_BYTES,
  MAX_TOMBSTONES_BYTES,
  MAX_VARINT64_BYTES,
  TOMBSTONES_FILE,
  TOMBSTONES_MAGIC,
  TOMBSTONES_VERSION,
} from './format.ts';
import { readWhole, replaceFile } from './small-file.ts';

/** Magic and version. */
const HEADER_BYTES = 5;

/**
 * Reads a block's tombstones (tsdb/tombstones, `ReadTombstones`); without a file there are none, of size 0.
 * @throws PromletError `storage/bad-block`, `storage/block-read`
 */
export function readTombstones(
  fileSystem: FileSystem,
  kernels: Kernels,
  blockDir: string,
): { tombstones: Tombstones; sizeBytes: number } {
  const path = join(blockDir, TOMBSTONES_FILE);
  const tombstones = new Tombstones();
  const bytes = readIfThere(fileSystem, path);
  if (bytes === undefined) return { tombstones, sizeBytes: 0 };
  const length = bytes.length - HEADER_BYTES - CRC_BYTES;
  if (length < 0) throw badBlock(path, bytes.length, 'the file ends within its header');
  const reader = new ByteReader().reset({ path }, 0, bytes, 0, bytes.length - CRC_BYTES);
  const magic = reader.u32();
  if (magic !== TOMBSTONES_MAGIC)
    throw badBlock(path, 0, `magic number ${magic.toString(16)} is not that of tombstones`);
  const version = reader.u8();
  if (version !== TOMBSTONES_VERSION) throw badBlock(path, 4, `tombstones version ${version} is not known`);
  const stated = bytes.readUInt32BE(HEADER_BYTES + length);
  if (crcOfHeap(kernels, bytes.subarray(HEADER_BYTES, HEADER_BYTES + length)) !== stated) {
    throw badBlock(path, HEADER_BYTES, 'tombstones do not match their checksum');
  }
  const stones = new Map<number, Interval[]>();
  while (reader.left > 0) {
    const ref = reader.uvarint();
    const minTimeMs = reader.time();
    const maxTimeMs = reader.time();
    if (minTimeMs > maxTimeMs) reader.fail(`an interval from ${minTimeMs} to ${maxTimeMs}`);
    const intervals = stones.get(ref);
    if (intervals === undefined) stones.set(ref, [{ minTimeMs, maxTimeMs }]);
    else intervals.push({ minTimeMs, maxTimeMs });
  }
  for (const [ref, intervals] of stones) tombstones.addAll(ref, intervals);
  return { tombstones, sizeBytes: bytes.length };
}

/** Only a file that is not there is none: what cannot be read may hold deletions. */
function readIfThere(fileSystem: FileSystem, path: string): Buffer | undefined {
  try {
    return readWhole(fileSystem, path, MAX_TOMBSTONES_BYTES);
  } catch (error) {
    if (error instanceof PromletError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

/**
 * Writes a block's tombstones beside the old ones and puts them in their place.
 * @returns the size of the file in bytes
 * @throws PromletError `storage/block-write`; `storage/too-many-tombstones` when they could not be read again
 */
export function writeTombstones(
  fileSystem: FileSystem,
  kernels: Kernels,
  blockDir: string,
  tombstones: Tombstones,
): number {
  const bytes = encodeTombstones(kernels, tombstones);
  if (bytes.length > MAX_TOMBSTONES_BYTES) {
    const reason = `${tombstones.total} tombstones take ${bytes.length} bytes, the limit is ${MAX_TOMBSTONES_BYTES}`;
    throw new PromletError('storage/too-many-tombstones', `${blockDir}: ${reason}`);
  }
  replaceFile(fileSystem, join(blockDir, TOMBSTONES_FILE), bytes);
  return bytes.length;
}

function encodeTombstones(kernels: Kernels, tombstones: Tombstones): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + CRC_BYTES + tombstones.total * 3 * MAX_VARINT64_BYTES);
  let at = writeU32(bytes, 0, TOMBSTONES_MAGIC);
  bytes[at++] = TOMBSTONES_VERSION;
  for (const [ref, intervals] of tombstones.entries()) {
    for (const { minTimeMs, maxTimeMs } of intervals) {
      at = writeUvarint(bytes, at, ref);
      at = writeVarint(bytes, at, Math.max(minTimeMs, -MAX_TIME_MS));
      at = writeVarint(bytes, at, Math.min(maxTimeMs, MAX_TIME_MS));
    }
  }
  at = writeU32(bytes, at, crcOfHeap(kernels, bytes.subarray(HEADER_BYTES, at)));
  return bytes.subarray(0, at);
}

function crcOfHeap({ arena, wasm }: Kernels, bytes: Uint8Array): number {
  if (bytes.length === 0) return 0;
  const address = arena.allocate(bytes.length);
  arena.u8.set(bytes, address);
  const crc = wasm.crc32c(0, address, bytes.length) >>> 0;
  arena.free(address, bytes.length);
  return crc;
}
