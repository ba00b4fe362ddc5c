import { join } from 'node:path';
import type { FileSystem } from '../lib/env/index.ts';
import { DurableFile } from './durable-file.ts';

const FILE_NAME = 'last-good-config.yaml';

/**
 * The newest configuration that was applied, kept in the data directory so that an agent starts scraping without the
 * operator and the API server.
 */
export class LastGoodConfig {
  readonly path: string;
  readonly #files: FileSystem;
  readonly #file: DurableFile;

  constructor(dataDir: string, files: FileSystem) {
    this.path = join(dataDir, FILE_NAME);
    this.#files = files;
    this.#file = new DurableFile(this.path, files);
  }

  /** undefined when there is none yet. */
  load(): string | undefined {
    return this.#files.existsSync(this.path) ? this.#files.readFileSync(this.path, 'utf8') : undefined;
  }

  /** @throws the file system's error; the old one then stays */
  save(text: string): Promise<void> {
    return this.#file.replace(text);
  }
}
