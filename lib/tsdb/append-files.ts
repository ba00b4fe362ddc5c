import { join } from 'node:path';
import type { Clock, FileSystem, Logger, Timer } from '../env/index.ts';
import { errorMessage, PromletError } from '../model/index.ts';
import { syncDirectory } from './directory.ts';

export interface AppendFilesOptions {
  readonly dir: string;
  readonly nameOf: (index: number) => string;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly fsyncIntervalMs: number;
  /** What begins every file. */
  readonly header?: Uint8Array;
  /**
   * A file is durable before the next is created, so that a power loss takes only the end of the row. Holds up the
   * thread; otherwise the fsync goes on behind it.
   */
  readonly durableInOrder?: boolean;
  /** What a file is called in messages, and the code of the errors thrown. */
  readonly what: string;
  readonly code: string;
}

/**
 * A row of numbered files, the last of which grows: the log's segments, the files of head chunks. Each piece is written
 * behind the last good one; when that fails the file is cut back there, so that half a piece never stays. Fsyncs follow
 * on an interval, and when a file is left.
 */
export class AppendFiles {
  readonly #options: AppendFilesOptions;
  #index: number;
  /** Undefined until the first file is created. */
  #file: number | undefined;
  /** End of the last good piece; the next begins here. */
  #end = 0;
  /** Where the last piece begins. */
  #lastStart = 0;
  /** The file could not be cut back or fsynced: whatever comes next goes to a new one. */
  #broken = false;
  #unsynced = false;
  /** Fsyncs and closes, one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #queued = 0;
  /** The interval was over while others were at it. */
  #syncDue = false;
  #timer: Timer | undefined;
  #closed = false;
  bytesWritten = 0;
  fsyncs = 0;
  fsyncFailures = 0;

  /** @param nextIndex of the file that is created first */
  constructor(options: AppendFilesOptions, nextIndex: number) {
    this.#options = options;
    this.#index = nextIndex - 1;
    this.#scheduleSync();
  }

  /** Of the file that grows; one below the first while there is none. */
  get index(): number {
    return this.#index;
  }

  /** Where the next piece will begin. */
  get endBytes(): number {
    return this.#end;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Sees to it that there is a file to write to. @throws PromletError when a new one is needed and cannot be created */
  prepare(): void {
    if (this.#file === undefined || this.#broken) this.roll();
  }

  /** Starts the next file; the old one is fsynced and closed behind it. @throws PromletError when it cannot be created */
  roll(): void {
    if (this.#options.durableInOrder === true && (this.#unsynced || this.#queued > 0)) this.#syncNow();
    const next = this.#index + 1;
    const file = this.#create(next);
    const old = this.#file;
    const oldIndex = this.#index;
    this.#index = next;
    this.#file = file;
    this.#end = this.#options.header?.length ?? 0;
    this.#broken = false;
    this.#unsynced = this.#end > 0;
    if (old === undefined) return;
    this.#enqueue(async () => {
      await this.#sync(old, oldIndex);
      this.#options.fileSystem.closeSync(old);
    });
  }

  /** Appends one piece, whole or not at all. Survives `kill -9` when it returns. @throws the system's error */
  append(bytes: Uint8Array): void {
    const { fileSystem } = this.#options;
    let done = 0;
    try {
      while (done < bytes.length) {
        const written = fileSystem.writeSync(this.#file!, bytes, done, bytes.length - done, this.#end + done);
        if (written === 0) throw new Error('no bytes were taken');
        done += written;
      }
    } catch (cause) {
      this.#cutBack();
      throw cause;
    }
    this.#lastStart = this.#end;
    this.#end += bytes.length;
    this.bytesWritten += bytes.length;
    this.#unsynced = true;
  }

  /** Cuts the last piece off again, once and before anything follows it. */
  takeBack(): void {
    this.#end = this.#lastStart;
    this.#cutBack();
  }

  /** Fsyncs what is written and closes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    await this.#queue;
    if (this.#file === undefined) return;
    const { fileSystem } = this.#options;
    try {
      if (this.#unsynced) fileSystem.fdatasyncSync(this.#file);
    } finally {
      fileSystem.closeSync(this.#file);
    }
  }

  #cutBack(): void {
    const { fileSystem, logger, what } = this.#options;
    try {
      fileSystem.ftruncateSync(this.#file!, this.#end);
    } catch (error) {
      this.#broken = true;
      logger.error(
        { file: this.#index, end: this.#end, error: errorMessage(error) },
        `cannot cut the ${what} back to its last good end, will start a new one`,
      );
    }
  }

  #create(index: number): number {
    const { dir, nameOf, fileSystem, header, what, code } = this.#options;
    const path = join(dir, nameOf(index));
    let file: number | undefined;
    try {
      file = fileSystem.openSync(path, 'wx', 0o666);
      for (let done = 0; done < (header?.length ?? 0);) {
        done += fileSystem.writeSync(file, header!, done, header!.length - done, done);
      }
      syncDirectory(fileSystem, dir);
      return file;
    } catch (cause) {
      if (file !== undefined) {
        fileSystem.closeSync(file);
        fileSystem.unlinkSync(path);
      }
      throw new PromletError(code, `cannot create ${what} ${path}: ${errorMessage(cause)}`, { cause });
    }
  }

  #scheduleSync(): void {
    const { clock, fsyncIntervalMs } = this.#options;
    this.#timer = clock.setTimer(() => {
      if (this.#queued === 0) this.#syncLater();
      else this.#syncDue = true;
      if (!this.#closed) this.#scheduleSync();
    }, fsyncIntervalMs);
  }

  #syncLater(): void {
    if (!this.#unsynced) return;
    this.#unsynced = false;
    const index = this.#index;
    const file = this.#file!;
    this.#enqueue(async () => {
      const good = await this.#sync(file, index);
      // What a failed fsync did not write is not tried again by the kernel: go on in a fresh file.
      if (!good && this.#index === index) this.#broken = true;
    });
  }

  #enqueue(task: () => Promise<void>): void {
    const { logger, what } = this.#options;
    this.#queued++;
    this.#queue = this.#queue
      .then(task)
      .catch((error: unknown) => {
        logger.error({ error: errorMessage(error) }, `cannot close a ${what}`);
      })
      .finally(() => {
        this.#queued--;
        if (this.#queued > 0 || !this.#syncDue || this.#closed) return;
        this.#syncDue = false;
        this.#syncLater();
      });
  }

  /** A failure is counted and logged: what it did not write is not tried again by the kernel. */
  #syncNow(): void {
    const { fileSystem, logger, what } = this.#options;
    this.fsyncs++;
    try {
      fileSystem.fdatasyncSync(this.#file!);
      this.#unsynced = false;
    } catch (error) {
      this.fsyncFailures++;
      logger.error({ file: this.#index, error: errorMessage(error) }, `fsync of a ${what} failed`);
    }
  }

  #sync(file: number, index: number): Promise<boolean> {
    const { fileSystem, logger, what } = this.#options;
    return new Promise((resolve) => {
      fileSystem.fdatasync(file, (error) => {
        this.fsyncs++;
        if (error) {
          this.fsyncFailures++;
          logger.error({ file: index, error: errorMessage(error) }, `fsync of a ${what} failed`);
        }
        resolve(!error);
      });
    });
  }
}
