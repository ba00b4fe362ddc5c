import { join } from 'node:path';
import type { FileSystem } from '../lib/env/index.ts';
import { replaceFile } from './replace-file.ts';

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

  save(text: string): void {
    replaceFile(this.#files, this.path, text);
  }
}
