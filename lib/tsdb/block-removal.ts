import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { FileSystem, Logger } from '../env/index.ts';
import { errorMessage } from '../model/index.ts';
import { renameForDeletion } from './block-directories.ts';
import { syncDirectoryLater } from './directory.ts';

/**
 * Deletes blocks: renames one at once, and removes its files one at a time between other work, after the new name is
 * durable. What fails is reported; the next start finds what is left (tsdb/db.go, `deleteBlocks`).
 */
export class BlockRemoval {
  readonly #dir: string;
  readonly #fileSystem: FileSystem;
  readonly #logger: Logger;
  readonly #underWay = new Set<Promise<void>>();
  #deleted = 0;
  #failures = 0;

  constructor(dir: string, fileSystem: FileSystem, logger: Logger) {
    this.#dir = dir;
    this.#fileSystem = fileSystem;
    this.#logger = logger;
  }

  get deleted(): number {
    return this.#deleted;
  }

  get failures(): number {
    return this.#failures;
  }

  /** @param ulid of a block in the directory whose files are closed */
  remove(ulid: string): void {
    let path: string;
    try {
      path = renameForDeletion(this.#fileSystem, this.#dir, ulid);
    } catch (error) {
      this.#report(ulid, error);
      return;
    }
    const removal = this.#removeFiles(ulid, path).finally(() => this.#underWay.delete(removal));
    this.#underWay.add(removal);
  }

  /** Resolves when no removal is under way. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async #removeFiles(ulid: string, path: string): Promise<void> {
    const fileSystem = this.#fileSystem;
    try {
      await syncDirectoryLater(fileSystem, this.#dir);
      for (const entry of fileSystem.readdirSync(path, { recursive: true, withFileTypes: true })) {
        if (entry.isDirectory()) continue;
        fileSystem.unlinkSync(join(entry.parentPath, entry.name));
        await turn();
      }
      fileSystem.rmSync(path, { recursive: true });
      this.#deleted++;
      this.#logger.info({ block: ulid }, 'deleted a block');
    } catch (error) {
      this.#report(ulid, error);
    }
  }

  #report(ulid: string, error: unknown): void {
    this.#failures++;
    this.#logger.error({ block: ulid, error: errorMessage(error) }, 'cannot delete a block');
  }
}
