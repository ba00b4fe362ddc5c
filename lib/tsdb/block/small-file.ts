import { dirname } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';
import { syncDirectory } from '../directory.ts';
import { badBlock } from './format.ts';
import { openRegularFile } from './positioned-file.ts';

/**
 * All of a file that is expected to be small.
 * @throws PromletError `storage/block-read`; `storage/bad-block` when it has more than `maxBytes`
 */
export function readWhole(fileSystem: FileSystem, path: string, maxBytes: number): Buffer {
  const { handle, sizeBytes } = openRegularFile(fileSystem, path);
  try {
    if (sizeBytes > maxBytes) throw badBlock(path, 0, `${sizeBytes} bytes where at most ${maxBytes} are expected`);
    const bytes = Buffer.alloc(sizeBytes);
    for (let done = 0; done < sizeBytes;) {
      const count = fileSystem.readSync(handle, bytes, done, sizeBytes - done, done);
      if (count === 0) throw badBlock(path, done, 'the file became shorter: nothing is left');
      done += count;
    }
    return bytes;
  } catch (cause) {
    if (cause instanceof PromletError) throw cause;
    throw new PromletError('storage/block-read', `cannot read ${path}: ${errorMessage(cause)}`, { cause });
  } finally {
    fileSystem.closeSync(handle);
  }
}

/**
 * Writes a file under a temporary name, fsyncs it, renames it and fsyncs the directory: after a crash there is the old
 * or the new one, whole (tsdb/fileutil, `Replace`).
 * @throws PromletError `storage/block-write`; the old file is then still there
 */
export function replaceFile(fileSystem: FileSystem, path: string, bytes: Uint8Array): void {
  const temporary = `${path}.tmp`;
  try {
    writeSynced(fileSystem, temporary, bytes);
    fileSystem.renameSync(temporary, path);
    syncDirectory(fileSystem, dirname(path));
  } catch (cause) {
    fileSystem.rmSync(temporary, { force: true });
    throw new PromletError('storage/block-write', `cannot write ${path}: ${errorMessage(cause)}`, { cause });
  }
}

function writeSynced(fileSystem: FileSystem, path: string, bytes: Uint8Array): void {
  const handle = fileSystem.openSync(path, 'w', 0o666);
  try {
    for (let done = 0; done < bytes.length;) {
      done += fileSystem.writeSync(handle, bytes, done, bytes.length - done, done);
    }
    fileSystem.fsyncSync(handle);
  } finally {
    fileSystem.closeSync(handle);
  }
}
