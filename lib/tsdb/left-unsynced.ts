import { join } from 'node:path';
import type { FileSystem, Logger } from '../env/index.ts';
import { errorMessage } from '../model/index.ts';
import { listHeadChunkFiles } from './head-chunks/files.ts';
import { headChunkFileName } from './head-chunks/format.ts';
import { segmentName } from './wal/format.ts';
import { listLog } from './wal/log-files.ts';

/** A file is fsynced when it is left for the next; a process may be killed before that is done. */
const FILES_AT_RISK = 2;

/**
 * Fsyncs the files that the process before may have been killed over: what it wrote was promised to survive a power loss
 * some seconds later, and nobody else sees to it. A file that cannot be synced is left, and said so.
 * @param dir the data directory
 */
export function syncWhatWasLeft(fileSystem: FileSystem, dir: string, logger: Logger): void {
  for (const path of [
    ...segments(fileSystem, join(dir, 'wal')),
    ...segments(fileSystem, join(dir, 'wbl')),
    ...headChunks(fileSystem, join(dir, 'chunks_head')),
  ]) {
    try {
      const file = fileSystem.openSync(path, 'r');
      try {
        fileSystem.fdatasyncSync(file);
      } finally {
        fileSystem.closeSync(file);
      }
    } catch (error) {
      logger.error({ file: path, error: errorMessage(error) }, 'cannot sync what an earlier process wrote');
    }
  }
}

function segments(fileSystem: FileSystem, dir: string): string[] {
  if (!fileSystem.existsSync(dir)) return [];
  return listLog(fileSystem, dir)
    .segments.slice(-FILES_AT_RISK)
    .map((segment) => join(dir, segmentName(segment)));
}

function headChunks(fileSystem: FileSystem, dir: string): string[] {
  if (!fileSystem.existsSync(dir)) return [];
  return listHeadChunkFiles(fileSystem, dir)
    .slice(-FILES_AT_RISK)
    .map((file) => join(dir, headChunkFileName(file)));
}
