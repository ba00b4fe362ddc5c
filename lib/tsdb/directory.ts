import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { FileSystem } from '../env/index.ts';

/** Creates a directory with those above it, where they are missing, so that they survive a power loss. */
export function createDirectory(fileSystem: FileSystem, dir: string): void {
  const first = fileSystem.mkdirSync(dir, { recursive: true });
  if (first === undefined) return;
  for (let created = resolve(dir); ; created = dirname(created)) {
    syncDirectory(fileSystem, dirname(created));
    if (created === resolve(first) || created === dirname(created)) return;
  }
}

/** Makes created, renamed and removed entries of a directory durable. */
export function syncDirectory(fileSystem: FileSystem, dir: string): void {
  const handle = fileSystem.openSync(dir, 'r');
  try {
    fileSystem.fsyncSync(handle);
  } finally {
    fileSystem.closeSync(handle);
  }
}

/** The same while other work runs. */
export async function syncDirectoryLater(fileSystem: FileSystem, dir: string): Promise<void> {
  const handle = fileSystem.openSync(dir, 'r');
  try {
    await promisify(fileSystem.fsync)(handle);
  } finally {
    fileSystem.closeSync(handle);
  }
}

/** Deletes a file without holding up the thread: freeing a large one takes tens of ms. @throws the system's error */
export function removeFile(fileSystem: FileSystem, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    fileSystem.unlink(path, (error) => (error === null ? resolve() : reject(error)));
  });
}
