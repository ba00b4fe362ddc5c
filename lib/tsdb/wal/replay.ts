import { basename, join } from 'node:path';
import type { FileSystem, Logger } from '../../env/index.ts';
import { type Kernels, Scratch } from '../../kernels/index.ts';
import { errorMessage, PromletError } from '../../model/index.ts';
import { REPLAY_LOG_INTERVAL_MS } from '../limits.ts';
import { type Pace, slicedPace } from '../pace.ts';
import type { ReplayProgress, WalDamage } from '../types.ts';
import { segmentName } from './format.ts';
import { listLog } from './log-files.ts';
import { syncDirectory } from '../directory.ts';
import { type LogVisitor, RecordDecoder } from './record-decoder.ts';
import { cutTail, keepAside, moveAside, rewriteSegment } from './repair.ts';
import { type Gap, readSegment, type SegmentReaderHost, type SegmentScan } from './segment-reader.ts';

/** Missing segments up to this many are replaced by empty ones, so that other readers see no gap. */
const MAX_FILLED_SEGMENTS = 10_000;

export interface ReplayOptions {
  /** The log's directory: `wal/` or `wbl/` of a data directory. */
  readonly dir: string;
  readonly fileSystem: FileSystem;
  /** Its arena holds pages and records while they are read. */
  readonly kernels: Kernels;
  readonly logger: Logger;
  readonly monotonicMs: () => number;
  /**
   * What becomes of damaged files. `repair`: kept in `corruptDir`, and replaced by what is good of them. `keep`: kept in
   * `corruptDir` and left as they are. `leave`: nothing is changed on disk.
   */
  readonly damaged: 'repair' | 'keep' | 'leave';
  readonly corruptDir: string;
  /** Segments below it are not read, nor is the checkpoint before it. Default: all that there are. */
  readonly firstSegment?: number;
  /** Segments above it are not read. */
  readonly lastSegment?: number;
  readonly onProgress?: ((progress: ReplayProgress) => void) | undefined;
}

/** What reading a log found. */
export interface LogReport {
  /** Segment files read, those of the checkpoint included. */
  readonly segments: number;
  /** Of the last segment or checkpoint that exists; -1: none. */
  readonly lastSegment: number;
  readonly records: number;
  /** Float samples and histograms that the visitor was given. */
  readonly samples: number;
  /** Per name, records that the visitor does not take, or of types that nobody knows. */
  readonly skippedRecords: Readonly<Record<string, number>>;
  /** In the order found. */
  readonly damage: readonly WalDamage[];
  readonly durationMs: number;
}

/**
 * Reads a log in order, the newest checkpoint, then the segments after it (tsdb/head_wal.go, tsdb/wlog/reader.go), and tells
 * `visitor` what it holds. Other work of the thread gets its turn every few ms, such as health checks. Damage is passed
 * over; with `repair` the log reads clean from then on, also for Prometheus. A torn end of the last segment, never
 * acknowledged, is cut off. Repair that is not possible, on a full disk, is left for the next time.
 * @throws PromletError `storage/wal-read` when a file or directory cannot be read; whatever the visitor throws
 */
export async function replayLog(options: ReplayOptions, visitor: LogVisitor): Promise<LogReport> {
  const replay = new LogReplay(options, visitor);
  try {
    return await replay.run();
  } catch (cause) {
    if (cause instanceof PromletError) throw cause;
    throw new PromletError('storage/wal-read', `cannot read the log in ${options.dir}: ${errorMessage(cause)}`, {
      cause,
    });
  } finally {
    replay.release();
  }
}

class LogReplay {
  readonly #options: ReplayOptions;
  readonly #host: SegmentReaderHost;
  readonly #decoder: RecordDecoder;
  readonly #pace: Pace;
  readonly #damage: WalDamage[] = [];
  #loggedMs = 0;
  #segmentIndex = -1;
  #firstSegment = -1;
  #lastSegment = -1;

  constructor(options: ReplayOptions, visitor: LogVisitor) {
    const { kernels, fileSystem } = options;
    this.#options = options;
    this.#pace = slicedPace(options);
    this.#host = {
      fileSystem,
      kernels,
      window: new Scratch(kernels.arena),
      record: new Scratch(kernels.arena),
      pause: () => this.#pause(),
    };
    this.#decoder = new RecordDecoder(kernels, visitor);
  }

  release(): void {
    this.#host.window.release();
    this.#host.record.release();
    this.#decoder.release();
  }

  async run(): Promise<LogReport> {
    const { dir, monotonicMs, firstSegment = 0, lastSegment = Infinity } = this.#options;
    const startedMs = monotonicMs();
    this.#loggedMs = startedMs;
    const { checkpoints, segments } = this.#list(dir);
    const newest = checkpoints.at(-1);
    const checkpoint = newest !== undefined && newest.index >= firstSegment ? newest : undefined;
    const first = Math.max(firstSegment, (checkpoint?.index ?? -1) + 1);
    const following = segments.filter((index) => index >= first && index <= lastSegment);
    this.#lastSegment = Math.max(newest?.index ?? -1, segments.at(-1) ?? -1);
    this.#firstSegment = following[0] ?? this.#lastSegment;
    this.#segmentIndex = this.#firstSegment;
    let read = 0;
    if (checkpoint !== undefined) {
      const inCheckpoint = this.#list(checkpoint.path).segments;
      for (const index of inCheckpoint) await this.#segment(checkpoint.path, index, false);
      read += inCheckpoint.length;
    }
    let expected = checkpoint === undefined ? following[0] : first;
    for (const index of following) {
      if (index !== expected) this.#missing(expected!, index - 1);
      expected = index + 1;
      this.#segmentIndex = index;
      await this.#segment(dir, index, index === following.at(-1));
      this.#options.onProgress?.(this.#progress());
      read++;
    }
    const { records, sampleCount, skipped } = this.#decoder;
    return {
      segments: read,
      lastSegment: this.#lastSegment,
      records,
      samples: sampleCount,
      skippedRecords: skipped,
      damage: this.#damage,
      durationMs: monotonicMs() - startedMs,
    };
  }

  /** Lists a directory, after what does not belong there is put away. */
  #list(dir: string): Pick<ReturnType<typeof listLog>, 'checkpoints' | 'segments'> {
    const { fileSystem, damaged, corruptDir } = this.#options;
    const files = listLog(fileSystem, dir);
    if (damaged === 'repair') {
      for (const name of files.leftovers) fileSystem.rmSync(join(dir, name), { recursive: true, force: true });
    }
    for (const name of files.misplaced) {
      const path = join(dir, name);
      const keptAs =
        damaged === 'repair'
          ? this.#attempt(path, () => moveAside(fileSystem, path, corruptDir, this.#keptName(dir, name)))
          : undefined;
      const what = name.startsWith('checkpoint') ? 'directory' : 'file';
      this.#report({ file: path, offsetBytes: 0, lostBytes: 0, reason: `not a regular ${what}`, keptAs });
    }
    return files;
  }

  #progress(): ReplayProgress {
    return {
      firstSegment: this.#firstSegment,
      segment: this.#segmentIndex,
      lastSegment: this.#lastSegment,
      records: this.#decoder.records,
      samples: this.#decoder.sampleCount,
    };
  }

  /** Lets other work run when the slice of time is over. */
  #pause(): Promise<void> | undefined {
    const pause = this.#pace();
    if (pause === undefined) return undefined;
    const nowMs = this.#options.monotonicMs();
    if (nowMs - this.#loggedMs >= REPLAY_LOG_INTERVAL_MS) {
      this.#loggedMs = nowMs;
      const progress = this.#progress();
      this.#options.logger.info({ ...progress }, 'replaying the log');
      this.#options.onProgress?.(progress);
    }
    return pause;
  }

  async #segment(dir: string, index: number, isLast: boolean): Promise<void> {
    const path = join(dir, segmentName(index));
    const bad: Gap[] = [];
    const scan = await readSegment(this.#host, path, (address, length, flags, offsetBytes) => {
      const reason = this.#decoder.decode(address, length, flags);
      if (reason !== undefined) bad.push({ offsetBytes, lostBytes: length, reason });
    });
    if (scan.gaps.length === 0 && bad.length === 0 && !scan.torn) return;
    if (isLast && scan.torn && scan.gaps.length === 0 && bad.length === 0) this.#torn(path, scan);
    else await this.#damaged(dir, segmentName(index), scan, bad);
  }

  #torn(path: string, scan: SegmentScan): void {
    const { fileSystem, damaged } = this.#options;
    // A link is not written through: its file is cut when it is the database's own.
    if (damaged === 'repair' && !fileSystem.lstatSync(path).isSymbolicLink()) {
      this.#attempt(path, () => cutTail(fileSystem, path, scan.goodEnd));
    }
    const damage: WalDamage = {
      file: path,
      offsetBytes: scan.goodEnd,
      lostBytes: scan.sizeBytes - scan.goodEnd,
      reason: 'the log ends within a record: the write was cut off before it was acknowledged',
      keptAs: undefined,
      torn: true,
    };
    this.#damage.push(damage);
    this.#options.logger.info({ ...damage }, 'a torn record ends the log');
  }

  async #damaged(dir: string, name: string, scan: SegmentScan, bad: readonly Gap[]): Promise<void> {
    const { fileSystem, kernels, damaged, corruptDir } = this.#options;
    const path = join(dir, name);
    let keptAs: string | undefined;
    if (damaged !== 'leave') {
      keptAs = this.#attempt(path, () => keepAside(fileSystem, path, corruptDir, this.#keptName(dir, name)));
    }
    if (damaged === 'repair' && keptAs !== undefined) {
      const badOffsets = new Set(bad.map((gap) => gap.offsetBytes));
      try {
        await rewriteSegment(this.#host, kernels, dir, name, badOffsets);
      } catch (error) {
        this.#notRepaired(path, error);
      }
    }
    const gaps = [...scan.gaps, ...bad];
    if (scan.torn) {
      gaps.push({
        offsetBytes: scan.goodEnd,
        lostBytes: scan.sizeBytes - scan.goodEnd,
        reason: 'the segment ends within a record',
      });
    }
    for (const gap of gaps) this.#report({ file: path, ...gap, keptAs });
  }

  /** Segments that should be there: what they held is lost, what follows is read. */
  #missing(first: number, last: number): void {
    const { dir, fileSystem, damaged } = this.#options;
    const path = join(dir, segmentName(first));
    if (damaged === 'repair' && last - first < MAX_FILLED_SEGMENTS) {
      this.#attempt(path, () => {
        for (let index = first; index <= last; index++) {
          fileSystem.closeSync(fileSystem.openSync(join(dir, segmentName(index)), 'wx', 0o666));
        }
        syncDirectory(fileSystem, dir);
      });
    }
    const reason = first === last ? 'the segment is missing' : `segments are missing up to ${segmentName(last)}`;
    this.#report({ file: path, offsetBytes: 0, lostBytes: 0, reason, keptAs: undefined });
  }

  #report(damage: WalDamage): void {
    this.#damage.push(damage);
    this.#options.logger.error({ ...damage }, 'passed over damage in the log');
  }

  /** @returns what the repair returns; undefined when it fails, which is logged: reading can do without */
  #attempt<Result>(path: string, repair: () => Result): Result | undefined {
    try {
      return repair();
    } catch (error) {
      this.#notRepaired(path, error);
      return undefined;
    }
  }

  #notRepaired(path: string, error: unknown): void {
    this.#options.logger.error({ file: path, error: errorMessage(error) }, 'cannot repair the log now');
  }

  /** `wal-00000003`, or `wal-checkpoint.00000002-00000000` within a checkpoint. */
  #keptName(dir: string, name: string): string {
    const log = basename(this.#options.dir);
    return dir === this.#options.dir ? `${log}-${name}` : `${log}-${basename(dir)}-${name}`;
  }
}
