import { join } from 'node:path';
import type { Clock, FileSystem, Logger, Timer } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { assert, errorMessage, PromletError } from '../../model/index.ts';
import { CommitFramer, type WalCommit } from './commit.ts';
import { SEGMENT_BYTES, segmentName } from './format.ts';
import { syncDirectory } from './log-files.ts';

export interface WalWriterOptions {
  readonly dir: string;
  /** Index of the segment to create. */
  readonly segment: number;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly kernels: Kernels;
  readonly compress: boolean;
  readonly fsyncIntervalMs: number;
  /** Test seam; default 128 MiB. */
  readonly segmentBytes?: number;
}

/**
 * Appends to the log. A commit is framed in memory and written as one piece at the end of the last good record; when
 * that fails the segment is cut back there, so that half a commit never stays.
 */
export class WalWriter {
  readonly #options: WalWriterOptions;
  readonly #framer: CommitFramer;
  readonly #segmentBytes: number;
  #segment: number;
  #file: number;
  /** End of the last good record in the segment; the next write begins here. */
  #end = 0;
  /** The segment could not be cut back: whatever comes next goes to a new one. */
  #broken = false;
  #unsynced = false;
  /** Fsyncs and closes, one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #queued = 0;
  #timer: Timer | undefined;
  #closed = false;
  bytesWritten = 0;
  writeFailures = 0;
  fsyncs = 0;
  fsyncFailures = 0;

  /** @throws PromletError `storage/wal-write` when the segment cannot be created */
  constructor(options: WalWriterOptions) {
    this.#options = options;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#framer = new CommitFramer(options.kernels, options.compress);
    this.#segment = options.segment;
    this.#file = this.#create(options.segment);
    this.#scheduleSync();
  }

  get segment(): number {
    return this.#segment;
  }

  /**
   * Logs commits in one piece: all of them, or none. After it returns they are in the page cache and survive `kill -9`.
   * A series whose samples change from floats to histograms, or back, within one appender needs a commit for each.
   * @throws PromletError `storage/wal-write`: nothing of it stays
   */
  log(...commits: readonly WalCommit[]): void {
    assert(!this.#closed, 'wal: written after close');
    try {
      if (this.#broken) this.#roll();
      this.#frame(commits);
      if (this.#framer.length === 0) return;
      if (this.#end + this.#framer.length > this.#segmentBytes && this.#end > 0) {
        this.#roll();
        this.#frame(commits);
      }
      if (this.#framer.length > this.#segmentBytes) {
        throw new PromletError('storage/wal-write', `a commit of ${this.#framer.length} bytes does not fit a segment`);
      }
      this.#write();
    } catch (cause) {
      this.writeFailures++;
      if (cause instanceof PromletError) throw cause;
      throw new PromletError(
        'storage/wal-write',
        `cannot write to segment ${segmentName(this.#segment)} of the log: ${errorMessage(cause)}`,
        { cause },
      );
    }
  }

  /** Fsyncs what is written and closes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    await this.#queue;
    const { fileSystem } = this.#options;
    try {
      if (this.#unsynced) fileSystem.fdatasyncSync(this.#file);
    } finally {
      fileSystem.closeSync(this.#file);
    }
  }

  #frame(commits: readonly WalCommit[]): void {
    this.#framer.begin(this.#end);
    for (const commit of commits) this.#framer.add(commit);
  }

  #write(): void {
    const { fileSystem } = this.#options;
    const { bytes } = this.#framer;
    let done = 0;
    try {
      while (done < bytes.length) {
        const written = fileSystem.writeSync(this.#file, bytes, done, bytes.length - done, this.#end + done);
        if (written === 0) throw new Error('no bytes were taken');
        done += written;
      }
    } catch (cause) {
      this.#cutBack();
      throw cause;
    }
    this.#end += bytes.length;
    this.bytesWritten += bytes.length;
    this.#unsynced = true;
  }

  #cutBack(): void {
    try {
      this.#options.fileSystem.ftruncateSync(this.#file, this.#end);
    } catch (error) {
      this.#broken = true;
      this.#options.logger.error(
        { segment: this.#segment, end: this.#end, error: errorMessage(error) },
        'cannot cut the log back to its last good record, will start a new segment',
      );
    }
  }

  /** Starts the next segment; the old one is fsynced and closed behind it. */
  #roll(): void {
    const next = this.#segment + 1;
    const file = this.#create(next);
    const old = this.#file;
    const oldSegment = this.#segment;
    this.#segment = next;
    this.#file = file;
    this.#end = 0;
    this.#broken = false;
    this.#unsynced = false;
    this.#enqueue(async () => {
      await this.#sync(old, oldSegment);
      this.#options.fileSystem.closeSync(old);
    });
  }

  #create(segment: number): number {
    const { dir, fileSystem } = this.#options;
    const path = join(dir, segmentName(segment));
    let file: number | undefined;
    try {
      file = fileSystem.openSync(path, 'wx', 0o666);
      syncDirectory(fileSystem, dir);
      return file;
    } catch (cause) {
      if (file !== undefined) {
        fileSystem.closeSync(file);
        fileSystem.unlinkSync(path);
      }
      throw new PromletError('storage/wal-write', `cannot create log segment ${path}: ${errorMessage(cause)}`, {
        cause,
      });
    }
  }

  #scheduleSync(): void {
    const { clock, fsyncIntervalMs } = this.#options;
    this.#timer = clock.setTimer(() => {
      if (this.#unsynced && this.#queued === 0) {
        this.#unsynced = false;
        const segment = this.#segment;
        this.#enqueue(async () => {
          const good = await this.#sync(this.#file, segment);
          // What a failed fsync did not write is not tried again by the kernel: go on in a fresh file.
          if (!good && this.#segment === segment) this.#broken = true;
        });
      }
      if (!this.#closed) this.#scheduleSync();
    }, fsyncIntervalMs);
  }

  #enqueue(task: () => Promise<void>): void {
    this.#queued++;
    this.#queue = this.#queue
      .then(task)
      .catch((error: unknown) => {
        this.#options.logger.error({ error: errorMessage(error) }, 'cannot close a log segment');
      })
      .finally(() => {
        this.#queued--;
      });
  }

  #sync(file: number, segment: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.#options.fileSystem.fdatasync(file, (error) => {
        this.fsyncs++;
        if (error) {
          this.fsyncFailures++;
          this.#options.logger.error({ segment, error: errorMessage(error) }, 'fsync of the log failed');
        }
        resolve(!error);
      });
    });
  }
}
