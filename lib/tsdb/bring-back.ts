import { join } from 'node:path';
import type { Clock, FileSystem, Logger } from '../env/index.ts';
import type { Kernels } from '../kernels/index.ts';
import { type HeadChunksReport, loadHeadChunks } from './head-chunks/load.ts';
import { FoundChunks } from './head/found-chunks.ts';
import type { Head } from './head/head.ts';
import { OutOfOrderReplay } from './head/ooo-replay.ts';
import { HeadReplay } from './head/replay.ts';
import type { ReplayProgress, ReplayReport } from './types.ts';
import type { LogVisitor } from './wal/record-decoder.ts';
import { type LogReport, replayLog } from './wal/replay.ts';

export interface BringBackOptions {
  /** The data directory. */
  readonly dir: string;
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In-order samples before it are in blocks and left out. */
  readonly floorMs: number;
  /** With `leave` nothing is changed on disk. */
  readonly damaged: 'repair' | 'leave';
  readonly onProgress?: ((progress: ReplayProgress) => void) | undefined;
}

/** What was found, and where the next files go on. */
export interface BroughtBack {
  readonly headChunks: HeadChunksReport | undefined;
  readonly replay: ReplayReport;
  /** Of the log; -1: none. */
  readonly lastSegment: number;
  /** Of the log of out-of-order samples; -1: none. */
  readonly lastOutOfOrderSegment: number;
}

/**
 * Brings back what a head had: its chunks on file, then what the logs have besides (`Head.Init` of tsdb/head.go). Its
 * `readMapped` must be set. Other work of the thread gets its turn every few ms; nobody else may touch the head.
 * @throws PromletError `storage/head-chunk`, `storage/wal-read`
 */
export async function bringBack(head: Head, options: BringBackOptions): Promise<BroughtBack> {
  const { dir, fileSystem, kernels, clock, logger, floorMs, damaged, onProgress } = options;
  const corruptDir = join(dir, 'corrupt');
  const shared = { fileSystem, kernels, logger, monotonicMs: () => clock.monotonicMs(), corruptDir };
  const found = new FoundChunks(kernels.arena);
  const chunksDir = join(dir, 'chunks_head');
  const repair = damaged === 'repair';
  // Reading only must not create it.
  const headChunks =
    repair || fileSystem.existsSync(chunksDir)
      ? await loadHeadChunks({ ...shared, dir: chunksDir, repair }, (chunk) => found.add(chunk))
      : undefined;
  const applier = new HeadReplay(head, found, floorMs);
  const replay = async (name: string, visitor: LogVisitor): Promise<LogReport | undefined> => {
    const logDir = join(dir, name);
    if (!fileSystem.existsSync(logDir)) return undefined;
    return replayLog({ ...shared, dir: logDir, damaged, ...(name === 'wal' && { onProgress }) }, visitor);
  };
  const log = await replay('wal', applier);
  const lateLog = await replay('wbl', new OutOfOrderReplay(head, applier, found.lastOutOfOrder));
  const unclaimedChunks = found.release(head);
  const report: ReplayReport = {
    segments: log?.segments ?? 0,
    records: log?.records ?? 0,
    samples: log?.samples ?? 0,
    skippedRecords: log?.skippedRecords ?? {},
    durationMs: log?.durationMs ?? 0,
    damage: [...(log?.damage ?? []), ...(lateLog?.damage ?? []), ...(headChunks?.damage ?? [])],
    unknownSeriesSamples: applier.unknownSeriesSamples,
    invalidSamples: applier.invalidSamples,
  };
  const chunks = headChunks?.chunks ?? 0;
  if (report.segments > 0 || chunks > 0) {
    logger.info({ ...report, chunks, unclaimedChunks, series: head.index.numSeries }, 'replayed the log');
  }
  return {
    headChunks,
    replay: report,
    lastSegment: log?.lastSegment ?? -1,
    lastOutOfOrderSegment: lateLog?.lastSegment ?? -1,
  };
}
