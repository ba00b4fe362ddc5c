import type { FileSystem, Logger } from '../env/index.ts';
import { errorMessage } from '../model/index.ts';

/** Kept free for the log and for compaction: a twentieth of the disk, at most 1 GiB. */
const RESERVED_SHARE = 1 / 20;
const MAX_RESERVED_BYTES = 1 << 30;
/** Space counts as low until this much more than the reserve is free, so that it does not go back and forth. */
const RECOVERED_FACTOR = 1.25;

/** Watches the disk of a data directory: before it is full, the database takes no new series. */
export class DiskSpace {
  readonly #fileSystem: Pick<FileSystem, 'statfsSync'>;
  readonly #dir: string;
  readonly #logger: Logger;
  readonly #reservedBytes: number | undefined;
  #low = false;
  #unknown = false;

  /** @param reservedBytes 0 for no reserve, undefined for the default */
  constructor(fileSystem: Pick<FileSystem, 'statfsSync'>, dir: string, logger: Logger, reservedBytes?: number) {
    this.#fileSystem = fileSystem;
    this.#dir = dir;
    this.#logger = logger;
    this.#reservedBytes = reservedBytes;
  }

  /** Of the file system; undefined when it does not say. */
  get totalBytes(): number | undefined {
    return this.#sizes()?.totalBytes;
  }

  /** Asks the file system, a matter of microseconds. `ok` too when it does not say. */
  check(): 'ok' | 'low' {
    const sizes = this.#sizes();
    if (sizes === undefined) return 'ok';
    const { totalBytes, freeBytes } = sizes;
    const reservedBytes = this.#reservedBytes ?? Math.min(totalBytes * RESERVED_SHARE, MAX_RESERVED_BYTES);
    const low = freeBytes < (this.#low ? reservedBytes * RECOVERED_FACTOR : reservedBytes);
    if (low !== this.#low) {
      const fields = { dir: this.#dir, freeBytes, reservedBytes };
      if (low) this.#logger.warn(fields, 'disk space is low: no new series are taken');
      else this.#logger.info(fields, 'disk space is no longer low');
    }
    this.#low = low;
    return low ? 'low' : 'ok';
  }

  #sizes(): { totalBytes: number; freeBytes: number } | undefined {
    try {
      const { bsize, blocks, bavail } = this.#fileSystem.statfsSync(this.#dir);
      return blocks > 0 ? { totalBytes: blocks * bsize, freeBytes: bavail * bsize } : undefined;
    } catch (error) {
      if (!this.#unknown)
        this.#logger.warn({ dir: this.#dir, error: errorMessage(error) }, 'cannot ask for disk space');
      this.#unknown = true;
      return undefined;
    }
  }
}
