import { join } from 'node:path';
import type { FileSystem } from '../../env/index.ts';
import { removeFile, syncDirectory } from '../directory.ts';
import { entryKind } from '../entry-kind.ts';
import { segmentIndex, segmentName } from './format.ts';

const CHECKPOINT = /^checkpoint\.(\d{1,12})$/;
/** What an interrupted checkpoint or repair leaves behind. */
const LEFTOVER = /^(?:checkpoint\.\d+\.tmp|\d{8,}\.repair)$/;

export interface Checkpoint {
  readonly path: string;
  /** Of the last segment it stands for. */
  readonly index: number;
}

/** The entries of a log's directory. */
export interface LogFiles {
  /** Oldest first; a reader needs the last only. */
  readonly checkpoints: readonly Checkpoint[];
  /** Indexes of the segments, ascending. */
  readonly segments: readonly number[];
  /** Names of segments that are no files, and of checkpoints that are no directories. */
  readonly misplaced: readonly string[];
  /** Names that an interrupted checkpoint or repair left. */
  readonly leftovers: readonly string[];
}

/** Lists a log's directory, or a checkpoint's; entries of other names are not ours. */
export function listLog(fileSystem: FileSystem, dir: string): LogFiles {
  const checkpoints: Checkpoint[] = [];
  const segments: number[] = [];
  const misplaced: string[] = [];
  const leftovers: string[] = [];
  for (const name of fileSystem.readdirSync(dir)) {
    const path = join(dir, name);
    const segment = segmentIndex(name);
    const checkpoint = CHECKPOINT.exec(name);
    if (segment !== undefined) {
      if (entryKind(fileSystem, path) === 'file') segments.push(segment);
      else misplaced.push(name);
    } else if (checkpoint !== null) {
      if (entryKind(fileSystem, path) === 'directory') checkpoints.push({ path, index: Number(checkpoint[1]) });
      else misplaced.push(name);
    } else if (LEFTOVER.test(name)) {
      leftovers.push(name);
    }
  }
  segments.sort((a, b) => a - b);
  checkpoints.sort((a, b) => a.index - b.index);
  return { checkpoints, segments, misplaced, leftovers };
}

/** Bytes of all segments and checkpoints of a log. */
export function logSizeBytes(fileSystem: FileSystem, dir: string): number {
  const { checkpoints, segments } = listLog(fileSystem, dir);
  let sizeBytes = 0;
  for (const index of segments) sizeBytes += fileSystem.statSync(join(dir, segmentName(index))).size;
  for (const { path } of checkpoints) sizeBytes += logSizeBytes(fileSystem, path);
  return sizeBytes;
}

/**
 * Deletes the segments below `upTo`, oldest first, and all checkpoints but the newest, letting other work run in between.
 * What a crash leaves is ignored by readers of the newest checkpoint, and deleted the next time.
 */
export async function truncateLog(fileSystem: FileSystem, dir: string, upTo: number): Promise<void> {
  const { checkpoints, segments } = listLog(fileSystem, dir);
  for (const index of segments) {
    if (index >= upTo) break;
    await removeFile(fileSystem, join(dir, segmentName(index)));
  }
  for (const { path } of checkpoints.slice(0, -1)) {
    for (const index of listLog(fileSystem, path).segments) {
      await removeFile(fileSystem, join(path, segmentName(index)));
    }
    fileSystem.rmSync(path, { recursive: true, force: true });
  }
  syncDirectory(fileSystem, dir);
}
