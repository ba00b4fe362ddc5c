import { join } from 'node:path';
import type { BlockSet } from './blocks.ts';
import type { Head } from './head/head.ts';
import type { TsdbOptions } from './tsdb.ts';
import { type CheckpointReport, checkpointTarget, writeCheckpoint } from './wal/checkpoint.ts';
import { listLog } from './wal/log-files.ts';
import type { WalWriter } from './wal/writer.ts';

export type LogTruncationOptions = Pick<
  TsdbOptions,
  'dir' | 'fileSystem' | 'kernels' | 'logger' | 'clock' | 'walCompression'
>;

/**
 * Cuts the log after the head was cut: what is in blocks is not read again, and the lower two thirds of the segments become
 * a checkpoint (`Head.truncateWAL` of tsdb/head.go).
 */
export class LogTruncation {
  readonly #options: LogTruncationOptions;
  readonly #head: Head;
  readonly #wal: WalWriter;
  readonly #blocks: BlockSet;
  #truncatedMs = -Infinity;
  checkpoints = 0;
  failures = 0;

  constructor(options: LogTruncationOptions, head: Head, wal: WalWriter, blocks: BlockSet) {
    this.#options = options;
    this.#head = head;
    this.#wal = wal;
    this.#blocks = blocks;
  }

  /**
   * @param mintMs samples before it are in blocks
   * @returns undefined when there is too little for a checkpoint
   * @throws PromletError `storage/checkpoint`, `storage/wal-write`: the log reads as before
   */
  async run(mintMs: number): Promise<CheckpointReport | undefined> {
    if (mintMs <= this.#truncatedMs) return undefined;
    const { dir, fileSystem, kernels, logger, clock, walCompression } = this.#options;
    const head = this.#head;
    const walDir = join(dir, 'wal');
    const lastSegment = checkpointTarget(listLog(fileSystem, walDir).segments);
    this.#wal.nextSegment();
    if (lastSegment === undefined) {
      this.#truncatedMs = mintMs;
      return undefined;
    }
    this.checkpoints++;
    try {
      const report = await writeCheckpoint({
        dir: walDir,
        fileSystem,
        kernels,
        logger,
        monotonicMs: () => clock.monotonicMs(),
        corruptDir: join(dir, 'corrupt'),
        lastSegment,
        mintMs,
        // What is deleted may lie in a file of head chunks still. A range of which all is deleted has no block, so that a restart
        // would bring it back.
        tombstonesMintMs: Math.min(head.oldestMs(mintMs), this.#blocks.inOrderMaxTimeMs),
        keep: (ref) => head.isInLog(ref, mintMs),
        compress: walCompression !== 'none',
      });
      head.forgetInLog(mintMs);
      this.#truncatedMs = mintMs;
      logger.info(
        { lastSegment, sizeBytes: report.sizeBytes, durationMs: report.durationMs },
        'wrote a log checkpoint',
      );
      return report;
    } catch (error) {
      this.failures++;
      throw error;
    }
  }
}
