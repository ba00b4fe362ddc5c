import { basename, join } from 'node:path';
import type { FileSystem, Logger } from '../../env/index.ts';
import { errorMessage } from '../../model/index.ts';
import { entryKind } from '../entry-kind.ts';
import type { WalDamage } from '../types.ts';
import { syncDirectory } from '../directory.ts';
import { cutTail, keepAside, moveAside, replaceByStart } from '../wal/repair.ts';
import { FILE_HEADER_BYTES, headChunkFileName } from './format.ts';

const LEFTOVER = /^\d{6,10}\.repair$/;

/** Where a file of head chunks stops making sense. */
export interface FileFault {
  readonly offsetBytes: number;
  readonly reason: string;
  /** The file ends within a chunk or its header, as after a `kill -9` during a write. */
  readonly torn?: boolean;
}

export interface HeadChunkRepairOptions {
  readonly dir: string;
  readonly corruptDir: string;
  readonly repair: boolean;
  readonly fileSystem: FileSystem;
  readonly logger: Logger;
}

/** Takes damage out of `chunks_head/` (`DeleteCorrupted` of tsdb/chunks/head_chunks.go), and says so. */
export class HeadChunkRepair {
  readonly #options: HeadChunkRepairOptions;
  readonly damage: WalDamage[] = [];

  constructor(options: HeadChunkRepairOptions) {
    this.#options = options;
  }

  /** What a repair that was interrupted left. */
  removeLeftovers(): void {
    const { dir, fileSystem, repair } = this.#options;
    if (!repair) return;
    for (const name of fileSystem.readdirSync(dir)) if (LEFTOVER.test(name)) fileSystem.unlinkSync(join(dir, name));
  }

  /** Leaves only what is before the damage in `file`; `files` are all that there are. */
  putAway(file: number, fault: FileFault, files: readonly number[]): void {
    const { dir, fileSystem, logger, repair } = this.#options;
    const path = join(dir, headChunkFileName(file));
    const sizeBytes = entryKind(fileSystem, path) === 'file' ? fileSystem.statSync(path).size : 0;
    const behind = files.filter((other) => other > file);
    const torn = fault.torn === true && behind.length === 0;
    const moved: WalDamage[] = [];
    let keptAs: string | undefined;
    if (repair) {
      // From the last one back, and the damage itself last: after a crash in between it is still there to be found.
      const all = behind.reverse().every((other) => {
        const damage = this.#moveAside(other);
        moved.unshift(damage);
        return damage.keptAs !== undefined;
      });
      if (all) keptAs = this.#attempt(path, () => (torn ? this.#cut(path, fault) : this.#takeOut(path, fault)));
    }
    const { offsetBytes, reason } = fault;
    const lostBytes = sizeBytes - offsetBytes;
    const damage: WalDamage = { file: path, offsetBytes, lostBytes, reason, keptAs, ...(torn ? { torn: true } : {}) };
    this.damage.push(damage, ...moved);
    if (torn) logger.info({ ...damage }, 'a torn chunk ends the head chunks');
    else logger.error({ ...damage }, 'head chunks are damaged: the log has the rest');
  }

  /** A torn end was never acknowledged: it goes, and so does a file that holds nothing else. */
  #cut(path: string, { offsetBytes }: FileFault): undefined {
    const { dir, fileSystem } = this.#options;
    if (offsetBytes <= FILE_HEADER_BYTES) {
      fileSystem.unlinkSync(path);
      syncDirectory(fileSystem, dir);
    } else if (fileSystem.lstatSync(path).isSymbolicLink()) {
      // A link is not written through.
      replaceByStart(fileSystem, path, offsetBytes);
    } else {
      cutTail(fileSystem, path, offsetBytes);
    }
  }

  #takeOut(path: string, { offsetBytes }: FileFault): string {
    const { dir, corruptDir, fileSystem } = this.#options;
    const name = keptName(path);
    if (offsetBytes > FILE_HEADER_BYTES) {
      const kept = keepAside(fileSystem, path, corruptDir, name);
      replaceByStart(fileSystem, path, offsetBytes);
      return kept;
    }
    const kept = moveAside(fileSystem, path, corruptDir, name);
    syncDirectory(fileSystem, dir);
    return kept;
  }

  #moveAside(file: number): WalDamage {
    const { dir, corruptDir, fileSystem } = this.#options;
    const path = join(dir, headChunkFileName(file));
    const keptAs = this.#attempt(path, () => {
      const kept = moveAside(fileSystem, path, corruptDir, keptName(path));
      syncDirectory(fileSystem, dir);
      return kept;
    });
    return { file: path, offsetBytes: 0, lostBytes: 0, reason: 'it is behind damage', keptAs };
  }

  /** @returns what the repair returns; undefined when it fails, which is logged: the damage is found again */
  #attempt(path: string, repair: () => string | undefined): string | undefined {
    try {
      return repair();
    } catch (error) {
      this.#options.logger.error({ file: path, error: errorMessage(error) }, 'cannot repair the head chunks now');
      return undefined;
    }
  }
}

function keptName(path: string): string {
  return `chunks_head-${basename(path)}`;
}
