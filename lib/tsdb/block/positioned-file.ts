import type { FileSystem } from '../../env/index.ts';
import type { SharedArena } from '../../kernels/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';
import { readU32 } from './byte-reader.ts';
import { badBlock } from './format.ts';

/** A file that does not change, read at positions into the arena. */
export interface PositionedFile {
  readonly path: string;
  readonly sizeBytes: number;
  /**
   * Brings `length` bytes at `offset` into the arena.
   * @param keeps false: what has to be read for it is not worth keeping, as nothing near it is wanted
   * @returns their address, valid until the next call on this file or another of the same cache
   * @throws PromletError `storage/bad-block` beyond the end of the file, `storage/block-read`
   */
  at(offset: number, length: number, keeps?: boolean): number;
  /** How many bytes at `offset`, which is within the file, `at` can give without putting them together. */
  stretch(offset: number): number;
  close(): void;
}

/** The big-endian u32 at an offset of a file. */
export function u32At(arena: SharedArena, file: PositionedFile, offset: number): number {
  // Only behind the call: it may make the arena grow, which leaves views that are too short.
  const address = file.at(offset, 4);
  return readU32(arena.u8, address);
}

/** @throws PromletError `storage/block-read`, or `storage/bad-block` when it is no regular file */
export function openRegularFile(fileSystem: FileSystem, path: string): { handle: number; sizeBytes: number } {
  let handle: number | undefined;
  try {
    handle = fileSystem.openSync(path, 'r');
    const stat = fileSystem.fstatSync(handle);
    if (!stat.isFile()) throw badBlock(path, 0, 'not a regular file');
    return { handle, sizeBytes: stat.size };
  } catch (cause) {
    if (handle !== undefined) fileSystem.closeSync(handle);
    if (cause instanceof PromletError) throw cause;
    throw readError(path, 0, cause);
  }
}

/**
 * Reads exactly `length` bytes at `offset` of a file to `address`.
 * @throws PromletError `storage/block-read`; `storage/bad-block` when the file ends before
 */
export function readFully(
  fileSystem: FileSystem,
  file: { readonly handle: number; readonly path: string },
  arena: SharedArena,
  address: number,
  length: number,
  offset: number,
): void {
  let done = 0;
  while (done < length) {
    let count: number;
    try {
      count = fileSystem.readSync(file.handle, arena.u8, address + done, length - done, offset + done);
    } catch (cause) {
      throw readError(file.path, offset + done, cause);
    }
    if (count === 0) throw badBlock(file.path, offset + done, 'the file became shorter: nothing is left');
    done += count;
  }
}

function readError(path: string, offset: number, cause: unknown): PromletError {
  return new PromletError('storage/block-read', `cannot read ${path} at ${offset}: ${errorMessage(cause)}`, { cause });
}
