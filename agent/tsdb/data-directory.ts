import type { FileSystem } from '../../lib/env/index.ts';
import { errorMessage, PromletError } from '../../lib/model/index.ts';

/** @throws PromletError `storage/open` when there is no such directory */
export function requireDirectory(fileSystem: FileSystem, dir: string): void {
  let isDirectory: boolean;
  try {
    isDirectory = fileSystem.statSync(dir).isDirectory();
  } catch (cause) {
    throw new PromletError('storage/open', `opening the db dir: ${errorMessage(cause)}`, { cause });
  }
  if (!isDirectory) throw new PromletError('storage/open', `opening the db dir: ${dir} is no directory`);
}
