import { basename, join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';
import { CHUNKS_DIRECTORY } from '../block/format.ts';
import { createDirectory, syncDirectoryLater } from '../directory.ts';

/**
 * Makes a copy of a block in another directory, as hard links (tsdb/block.go, `Snapshot`): files of a block are replaced,
 * never changed. Lets other work run while the disk is waited for.
 * @param to exists
 * @throws PromletError `storage/snapshot`
 */
export async function linkBlock(fileSystem: FileSystem, blockDir: string, to: string): Promise<void> {
  const copyDir = join(to, basename(blockDir));
  try {
    fileSystem.mkdirSync(join(copyDir, CHUNKS_DIRECTORY), { recursive: true });
    await linkFiles(fileSystem, join(blockDir, CHUNKS_DIRECTORY), join(copyDir, CHUNKS_DIRECTORY));
    await linkFiles(fileSystem, blockDir, copyDir);
    await syncDirectoryLater(fileSystem, to);
  } catch (cause) {
    throw new PromletError('storage/snapshot', `cannot copy ${blockDir} to ${to}: ${errorMessage(cause)}`, { cause });
  }
}

/** Makes the directory that a snapshot goes to. @throws PromletError `storage/snapshot` */
export function createSnapshotDirectory(fileSystem: FileSystem, to: string): void {
  try {
    createDirectory(fileSystem, to);
  } catch (cause) {
    throw new PromletError('storage/snapshot', `cannot make ${to}: ${errorMessage(cause)}`, { cause });
  }
}

async function linkFiles(fileSystem: FileSystem, from: string, to: string): Promise<void> {
  for (const entry of fileSystem.readdirSync(from, { withFileTypes: true })) {
    if (entry.isFile()) fileSystem.linkSync(join(from, entry.name), join(to, entry.name));
  }
  await syncDirectoryLater(fileSystem, to);
}
