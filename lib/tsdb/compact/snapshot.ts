import { basename, join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';
import { CHUNKS_DIRECTORY } from '../block/format.ts';
import { syncDirectory } from '../directory.ts';

/**
 * Makes a copy of a block in another directory, as hard links (tsdb/block.go, `Snapshot`): files of a block are replaced,
 * never changed.
 * @throws PromletError `storage/snapshot`
 */
export function linkBlock(fileSystem: FileSystem, blockDir: string, to: string): void {
  const copyDir = join(to, basename(blockDir));
  try {
    fileSystem.mkdirSync(join(copyDir, CHUNKS_DIRECTORY), { recursive: true });
    linkFiles(fileSystem, blockDir, copyDir);
    linkFiles(fileSystem, join(blockDir, CHUNKS_DIRECTORY), join(copyDir, CHUNKS_DIRECTORY));
    syncDirectory(fileSystem, to);
  } catch (cause) {
    throw new PromletError('storage/snapshot', `cannot copy ${blockDir} to ${to}: ${errorMessage(cause)}`, { cause });
  }
}

function linkFiles(fileSystem: FileSystem, from: string, to: string): void {
  for (const entry of fileSystem.readdirSync(from, { withFileTypes: true })) {
    if (entry.isFile()) fileSystem.linkSync(join(from, entry.name), join(to, entry.name));
  }
  syncDirectory(fileSystem, to);
}
