import type { FileSystem } from '../env/index.ts';

/** What a path leads to; links are followed, and those that lead nowhere are `other`. @throws the system's other errors */
export function entryKind(fileSystem: FileSystem, path: string): 'file' | 'directory' | 'other' {
  try {
    const stats = fileSystem.statSync(path, { throwIfNoEntry: false });
    return stats?.isFile() === true ? 'file' : stats?.isDirectory() === true ? 'directory' : 'other';
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ELOOP' || error.code === 'ENOTDIR'))
      return 'other';
    throw error;
  }
}
