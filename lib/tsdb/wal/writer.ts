import type { Clock, FileSystem, Logger } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import { assert, errorMessage, PromletError } from '../../model/index.ts';
import { AppendFiles } from '../append-files.ts';
import { CommitFramer, type WalCommit } from './commit.ts';
import { SEGMENT_BYTES, segmentName } from './format.ts';
import { logSizeBytes, truncateLog } from './log-files.ts';

export interface WalWriterOptions {
  /** The log's directory: `wal/` or `wbl/` of a data directory. */
  readonly dir: string;
  /** Index of the segment to create. */
  readonly segment: number;
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly kernels: Kernels;
  readonly compress: boolean;
  readonly fsyncIntervalMs: number;
  /** A segment that would grow above it is followed by the next. Default 128 MiB. */
  readonly segmentBytes?: number;
}

/**
 * Appends to the log. A commit is framed in memory and written as one piece at the end of the last good record; when
 * that fails the segment is cut back there, so that half a commit never stays.
 */
export class WalWriter {
  readonly #options: WalWriterOptions;
  readonly #framer: CommitFramer;
  readonly #files: AppendFiles;
  readonly #segmentBytes: number;
  /** Whether the last `log` wrote something. */
  #appended = false;
  writeFailures = 0;

  /** @throws PromletError `storage/wal-write` when the segment cannot be created */
  constructor(options: WalWriterOptions) {
    this.#options = options;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#framer = new CommitFramer(options.kernels, options.compress);
    this.#files = new AppendFiles(
      { ...options, nameOf: segmentName, what: 'log segment', code: 'storage/wal-write' },
      options.segment,
    );
    try {
      this.#files.prepare();
    } catch (error) {
      void this.#files.close();
      throw error;
    }
  }

  /** Index of the segment that grows. */
  get segment(): number {
    return this.#files.index;
  }

  get bytesWritten(): number {
    return this.#files.bytesWritten;
  }

  get fsyncs(): number {
    return this.#files.fsyncs;
  }

  get fsyncFailures(): number {
    return this.#files.fsyncFailures;
  }

  /** Bytes of all segments and checkpoints; asks the file system. */
  sizeBytes(): number {
    return logSizeBytes(this.#options.fileSystem, this.#options.dir);
  }

  /**
   * Logs commits in one piece: all of them, or none. After it returns they are in the page cache and survive `kill -9`.
   * Within a commit floats are read before integer, and those before float histograms, custom buckets last in each: a series
   * whose samples change their kind needs a commit for each kind.
   * @throws PromletError `storage/wal-write`: nothing of it stays
   */
  log(...commits: readonly WalCommit[]): void {
    const files = this.#files;
    assert(!files.isClosed, 'wal: written after close');
    this.#appended = false;
    try {
      files.prepare();
      this.#frame(commits);
      if (this.#framer.length === 0) return;
      if (files.endBytes + this.#framer.length > this.#segmentBytes && files.endBytes > 0) {
        files.roll();
        this.#frame(commits);
      }
      if (this.#framer.length > this.#segmentBytes) {
        throw new PromletError('storage/wal-write', `a commit of ${this.#framer.length} bytes does not fit a segment`);
      }
      files.append(this.#framer.bytes);
      this.#appended = true;
    } catch (cause) {
      this.writeFailures++;
      if (cause instanceof PromletError) throw cause;
      throw new PromletError(
        'storage/wal-write',
        `cannot write to segment ${segmentName(files.index)} of the log: ${errorMessage(cause)}`,
        { cause },
      );
    }
  }

  /** Takes the last `log` back, whose commit came to nothing otherwise: nothing may have been logged since. */
  takeBack(): void {
    if (this.#appended) this.#files.takeBack();
    this.#appended = false;
  }

  /**
   * Starts a new segment when something is in the one that grows, so that all there is can go into a checkpoint.
   * @returns the index of the segment that grows now
   * @throws PromletError `storage/wal-write`: the old one stays in use
   */
  nextSegment(): number {
    if (this.#files.endBytes > 0) this.#files.roll();
    return this.#files.index;
  }

  /**
   * Deletes the segments below `upTo`, which a checkpoint replaces or nobody needs any more, as in the log of
   * out-of-order samples.
   * @throws PromletError `storage/wal-write`: what is left is deleted at the next call
   */
  async truncate(upTo: number): Promise<void> {
    const { dir, fileSystem } = this.#options;
    assert(upTo <= this.#files.index, 'wal: truncated above the segment that grows');
    try {
      await truncateLog(fileSystem, dir, upTo);
    } catch (cause) {
      throw new PromletError('storage/wal-write', `cannot delete old segments in ${dir}: ${errorMessage(cause)}`, {
        cause,
      });
    }
  }

  /** Fsyncs what is written and closes. */
  close(): Promise<void> {
    return this.#files.close();
  }

  #frame(commits: readonly WalCommit[]): void {
    this.#framer.begin(this.#files.endBytes);
    for (const commit of commits) this.#framer.add(commit);
  }
}
