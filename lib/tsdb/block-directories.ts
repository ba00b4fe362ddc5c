import { join } from 'node:path';
import type { FileSystem } from '../env/index.ts';
import { CREATION_SUFFIX } from './block/format.ts';
import { isUlid } from './block/meta.ts';

/** Behind the name of a block's directory while it is deleted (tsdb/db.go, `tmpForDeletionBlockDirSuffix`). */
const DELETION_SUFFIX = '.tmp-for-deletion';
/** The last is that of old Prometheus versions. */
const LEFTOVER_SUFFIXES = [CREATION_SUFFIX, DELETION_SUFFIX, '.tmp'];
/** Prometheus writes directories of this name at shutdown, under `.tmp` first. */
const CHUNK_SNAPSHOT = /^chunk_snapshot\./;

/** The ULIDs of the blocks in a data directory, oldest made first. Symbolic links are no blocks. */
export function blockNames(fileSystem: FileSystem, dir: string): string[] {
  return directories(fileSystem, dir).filter(isUlid).sort();
}

/** Deletes what was left behind when blocks were being made or deleted. @returns the names */
export function removeLeftovers(fileSystem: FileSystem, dir: string): string[] {
  const leftovers = directories(fileSystem, dir).filter(isLeftover);
  for (const name of leftovers) fileSystem.rmSync(join(dir, name), { recursive: true });
  return leftovers;
}

function isLeftover(name: string): boolean {
  const suffix = LEFTOVER_SUFFIXES.find((candidate) => name.endsWith(candidate));
  if (suffix === undefined) return false;
  const stem = name.slice(0, -suffix.length);
  return isUlid(stem) || CHUNK_SNAPSHOT.test(stem);
}

/**
 * Gives a block the name under which it is deleted, so that no half of it can be taken for a block.
 * @returns the path to delete, after `dir` has been fsynced
 */
export function renameForDeletion(fileSystem: FileSystem, dir: string, name: string): string {
  const path = join(dir, `${name}${DELETION_SUFFIX}`);
  fileSystem.rmSync(path, { recursive: true, force: true });
  fileSystem.renameSync(join(dir, name), path);
  return path;
}

function directories(fileSystem: FileSystem, dir: string): string[] {
  return fileSystem
    .readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}
