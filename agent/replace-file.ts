import { dirname } from 'node:path';
import type { FileSystem } from '../lib/env/index.ts';

/**
 * Replaces a small file: written aside, fsynced, renamed, so that after any crash it is the old or the new one. May hold
 * credentials or addresses of targets: only its owner reads it.
 */
export function replaceFile(files: FileSystem, path: string, text: string): void {
  const aside = `${path}.tmp`;
  const file = files.openSync(aside, 'w', 0o600);
  try {
    files.writeFileSync(file, text);
    files.fsyncSync(file);
  } finally {
    files.closeSync(file);
  }
  files.renameSync(aside, path);
  const directory = files.openSync(dirname(path), 'r');
  try {
    files.fsyncSync(directory);
  } finally {
    files.closeSync(directory);
  }
}
