import { dirname, join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { createDirectory, syncDirectory } from '../directory.ts';
import { Framer } from './framer.ts';
import { readSegment, type SegmentReaderHost } from './segment-reader.ts';

const COPY_BYTES = 1 << 20;
const FLUSH_BYTES = 1 << 20;

/** Cuts a segment off behind its last good record. */
export function cutTail(fileSystem: FileSystem, path: string, endBytes: number): void {
  const file = fileSystem.openSync(path, 'r+');
  try {
    fileSystem.ftruncateSync(file, endBytes);
    fileSystem.fsyncSync(file);
  } finally {
    fileSystem.closeSync(file);
  }
}

/**
 * Puts a file that holds only the good records of a segment in its place. Atomic: at any moment there is one or the
 * other, beside a `.repair` that is removed at the next opening. Keep the segment aside first.
 * @param badOffsets where records begin that are left out though their frames are good
 */
export async function rewriteSegment(
  host: SegmentReaderHost,
  kernels: Kernels,
  dir: string,
  name: string,
  badOffsets: ReadonlySet<number>,
): Promise<void> {
  const { fileSystem } = host;
  const path = join(dir, name);
  const repaired = `${path}.repair`;
  const file = fileSystem.openSync(repaired, 'w', 0o666);
  const framer = new Framer(kernels);
  try {
    let end = 0;
    const flush = (): void => {
      const { bytes } = framer;
      for (let done = 0; done < bytes.length;) {
        done += fileSystem.writeSync(file, bytes, done, bytes.length - done, end + done);
      }
      end += bytes.length;
      framer.begin(end);
    };
    await readSegment(host, path, (address, length, flags, offsetBytes) => {
      if (badOffsets.has(offsetBytes)) return;
      framer.add(address, length, flags);
      if (framer.length > FLUSH_BYTES) flush();
    });
    flush();
    fileSystem.fsyncSync(file);
  } finally {
    framer.release();
    fileSystem.closeSync(file);
  }
  fileSystem.renameSync(repaired, path);
  syncDirectory(fileSystem, dir);
}

/**
 * Keeps a damaged file under a free name in `corruptDir`, and where it is: as a second link, or as a copy where links
 * cannot be had.
 * @returns its path there
 */
export function keepAside(fileSystem: FileSystem, path: string, corruptDir: string, name: string): string {
  const kept = freeName(fileSystem, corruptDir, name);
  try {
    fileSystem.linkSync(path, kept);
  } catch {
    // Another device, or a file system without links; when the copy fails too, its error says why.
    copy(fileSystem, path, kept);
  }
  syncDirectory(fileSystem, corruptDir);
  return kept;
}

/** Moves what does not belong where it lies to a free name in `corruptDir`. @returns its path there */
export function moveAside(fileSystem: FileSystem, path: string, corruptDir: string, name: string): string {
  const kept = freeName(fileSystem, corruptDir, name);
  fileSystem.renameSync(path, kept);
  syncDirectory(fileSystem, corruptDir);
  return kept;
}

function freeName(fileSystem: FileSystem, corruptDir: string, name: string): string {
  createDirectory(fileSystem, corruptDir);
  const wanted = join(corruptDir, name);
  let free = wanted;
  for (let attempt = 1; fileSystem.existsSync(free); attempt++) free = `${wanted}.${attempt}`;
  return free;
}

/** Puts a file that holds only the first `endBytes` in a file's place, atomically and durably. */
export function replaceByStart(fileSystem: FileSystem, path: string, endBytes: number): void {
  const start = `${path}.repair`;
  fileSystem.rmSync(start, { force: true });
  copy(fileSystem, path, start, endBytes);
  fileSystem.renameSync(start, path);
  syncDirectory(fileSystem, dirname(path));
}

function copy(fileSystem: FileSystem, path: string, copied: string, mostBytes = Infinity): void {
  const from = fileSystem.openSync(path, 'r');
  const to = fileSystem.openSync(copied, 'wx', 0o666);
  try {
    const buffer = new Uint8Array(COPY_BYTES);
    for (let offset = 0; offset < mostBytes;) {
      const read = fileSystem.readSync(from, buffer, 0, Math.min(buffer.length, mostBytes - offset), offset);
      if (read === 0) break;
      for (let done = 0; done < read;) done += fileSystem.writeSync(to, buffer, done, read - done, offset + done);
      offset += read;
    }
    fileSystem.fsyncSync(to);
  } finally {
    fileSystem.closeSync(from);
    fileSystem.closeSync(to);
  }
}
