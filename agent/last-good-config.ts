import { dirname, join } from 'node:path';
import type { FileSystem } from '../lib/env/index.ts';

const FILE_NAME = 'last-good-config.yaml';

/**
 * The newest configuration that was applied, kept in the data directory so that an agent starts scraping without the
 * operator and the API server. Written aside, fsynced and renamed: after any crash it is the old or the new one.
 */
export class LastGoodConfig {
  readonly path: string;
  readonly #files: FileSystem;

  constructor(dataDir: string, files: FileSystem) {
    this.path = join(dataDir, FILE_NAME);
    this.#files = files;
  }

  /** undefined when there is none yet. */
  load(): string | undefined {
    return this.#files.existsSync(this.path) ? this.#files.readFileSync(this.path, 'utf8') : undefined;
  }

  /** The file may hold credentials of targets: only its owner reads it. */
  save(text: string): void {
    const files = this.#files;
    const aside = `${this.path}.tmp`;
    const file = files.openSync(aside, 'w', 0o600);
    try {
      files.writeFileSync(file, text);
      files.fsyncSync(file);
    } finally {
      files.closeSync(file);
    }
    files.renameSync(aside, this.path);
    this.#syncDirectory();
  }

  #syncDirectory(): void {
    const directory = this.#files.openSync(dirname(this.path), 'r');
    try {
      this.#files.fsyncSync(directory);
    } finally {
      this.#files.closeSync(directory);
    }
  }
}
