import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { FileSystem } from '../lib/env/index.ts';

/**
 * A small file that is replaced as a whole: written aside, fsynced, renamed, so that after any crash it is the old or the
 * new one. The fsyncs, which a slow disk makes long, do not hold up the thread. May hold credentials or addresses of
 * targets: only its owner reads it.
 */
export class DurableFile {
  readonly path: string;
  readonly #files: FileSystem;
  /** One replacement after the other. */
  #queue: Promise<void> = Promise.resolve();

  constructor(path: string, files: FileSystem) {
    this.path = path;
    this.#files = files;
  }

  /** Resolves when the text is durable. @throws the file system's error; the old text then stays */
  replace(text: string): Promise<void> {
    const result = this.#queue.then(() => this.#replace(text));
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #replace(text: string): Promise<void> {
    const files = this.#files;
    const aside = `${this.path}.tmp`;
    await this.#synced(files.openSync(aside, 'w', 0o600), (file) => files.writeFileSync(file, text));
    files.renameSync(aside, this.path);
    await this.#synced(files.openSync(dirname(this.path), 'r'));
  }

  async #synced(file: number, write?: (file: number) => void): Promise<void> {
    const { fsync, closeSync } = this.#files;
    try {
      write?.(file);
      await promisify((done: (error: Error | null) => void) => fsync(file, done))();
    } finally {
      closeSync(file);
    }
  }
}
