import { join } from 'node:path';
import { systemRandom } from '../env/index.ts';
import { assert, errorMessage, PromletError } from '../model/index.ts';
import { PageCache } from './block/page-cache.ts';
import { BlockSet, type Retention } from './blocks.ts';
import { bringBack } from './bring-back.ts';
import { Compactor } from './compact/compactor.ts';
import { blockRangesMs, maxBlockDurationMs } from './compact/plan.ts';
import { InProcessRunner } from './compact/runner.ts';
import { Database } from './db.ts';
import { createDirectory } from './directory.ts';
import { DiskSpace } from './disk-space.ts';
import { HeadChunkFiles } from './head-chunks/files.ts';
import { HeadChunkWriter } from './head-chunks/writer.ts';
import { ChunkMapper } from './head/chunk-mapper.ts';
import { Head } from './head/head.ts';
import { MemoryBudget } from './head/memory-budget.ts';
import { truncateHead } from './head/truncation.ts';
import { DEFAULT_BLOCK_DURATION_MS, DEFAULT_FSYNC_INTERVAL_MS, DEFAULT_LIMITS } from './limits.ts';
import { syncWhatWasLeft } from './left-unsynced.ts';
import { DirectoryLock } from './lock.ts';
import { slicedPace } from './pace.ts';
import { DEFAULT_RETENTION, type RetentionOptions } from './retention.ts';
import { RetentionClock } from './retention-clock.ts';
import type { Tsdb, TsdbOptions } from './tsdb.ts';
import { WalWriter } from './wal/writer.ts';

/**
 * Opens a data directory: takes its lock, opens its blocks, loads the chunks that the head had on file, replays the logs into
 * the head and starts new log segments (`open` of tsdb/db.go, `Head.Init`). Other work of the thread gets its turn every few ms.
 * @throws PromletError `storage/locked`, `storage/open`, `storage/wal-read`, `storage/wal-write`, `storage/head-chunk`
 */
export async function openTsdb(options: TsdbOptions): Promise<Tsdb> {
  const { dir, fileSystem } = options;
  try {
    createDirectory(fileSystem, join(dir, 'wal'));
  } catch (cause) {
    throw new PromletError('storage/open', `cannot create ${join(dir, 'wal')}: ${errorMessage(cause)}`, { cause });
  }
  const lock = new DirectoryLock(fileSystem, dir);
  const opening = new Opening(options, lock);
  try {
    return await opening.run();
  } catch (error) {
    await opening.abandon();
    throw error;
  }
}

class Opening {
  readonly #options: TsdbOptions;
  readonly #lock: DirectoryLock;
  /** What is open, to be closed when opening fails. */
  readonly #closers: (() => unknown)[];

  constructor(options: TsdbOptions, lock: DirectoryLock) {
    this.#options = options;
    this.#lock = lock;
    this.#closers = [() => lock.release()];
  }

  async abandon(): Promise<void> {
    for (const close of this.#closers.reverse()) {
      try {
        await close();
      } catch (error) {
        // Why it could not be opened is what the caller is told.
        this.#options.logger.warn({ error: errorMessage(error) }, 'cannot close what was opened');
      }
    }
  }

  async run(): Promise<Database> {
    const options = this.#options;
    const { dir, fileSystem, clock, logger, kernels } = options;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const blockDurationMs = options.minBlockDurationMs ?? DEFAULT_BLOCK_DURATION_MS;
    const cache = new PageCache({ fileSystem, kernels, ...maxBytes(options.blockCacheBytes) });
    const blocks = new BlockSet({ dir, cache, logger });
    this.#closers.push(() => blocks.close());

    const budget = new MemoryBudget(kernels.arena, limits.headMemoryBytes, logger);
    const random = options.random ?? systemRandom;
    const head = new Head(kernels, blockDurationMs, limits, budget, random);
    head.exemplars.resize(options.maxExemplars ?? 0);
    const chunksDir = join(dir, 'chunks_head');
    const chunkFiles = new HeadChunkFiles({ dir: chunksDir, fileSystem, kernels });
    this.#closers.push(() => chunkFiles.close());
    head.readMapped = ({ file, offsetBytes }) => chunkFiles.read(file, offsetBytes);
    const floorMs = blocks.inOrderMaxTimeMs;
    const { headChunks, replay, lastSegment, lastOutOfOrderSegment } = await bringBack(head, {
      ...options,
      floorMs,
      damaged: 'repair',
      onProgress: options.onReplayProgress,
    });
    assert(headChunks !== undefined, 'open: repair creates the directory of head chunks');
    syncWhatWasLeft(fileSystem, dir, logger);
    head.appendCounts.fill(0);
    // Series of the log whose samples are all in blocks go.
    await truncateHead(head, floorMs, slicedPace(clock));

    const fsyncIntervalMs = options.walFsyncIntervalMs ?? DEFAULT_FSYNC_INTERVAL_MS;
    const files = { fileSystem, clock, logger, kernels, fsyncIntervalMs };
    const chunkWriter = new HeadChunkWriter({ ...files, dir: chunksDir, nextFile: headChunks.nextFile });
    this.#closers.push(() => chunkWriter.close());
    const logWriter = (name: 'wal' | 'wbl', segment: number): WalWriter => {
      const compress = options.walCompression !== 'none';
      const segmentBytes = options.walSegmentBytes;
      const shared = { ...files, dir: join(dir, name), segment, compress };
      return new WalWriter(segmentBytes === undefined ? shared : { ...shared, segmentBytes });
    };
    const wal = logWriter('wal', lastSegment + 1);
    this.#closers.push(() => wal.close());

    const retentionClock = new RetentionClock(newestMs(blocks, head), clock.monotonicMs());
    const disk = new DiskSpace(fileSystem, dir, logger, options.reservedDiskBytes);
    let retention: RetentionOptions = { ...DEFAULT_RETENTION, ...options.retention };
    const sizes = (): number => wal.sizeBytes() + chunkFiles.sizeBytes();
    const currentRetention = (): Retention => ({
      options: retention,
      facts: {
        nowMs: retentionClock.now(clock.now(), newestMs(blocks, head), clock.monotonicMs()),
        headBytes: retention.sizeBytes > 0 || retention.diskPercent > 0 ? sizes() : 0,
        diskBytes: retention.diskPercent > 0 ? disk.totalBytes : undefined,
      },
    });
    const longestMs = options.maxBlockDurationMs ?? maxBlockDurationMs(retention.timeMs);
    const compactor = new Compactor({
      dir,
      blocks,
      runner: options.compactionRunner ?? new InProcessRunner(cache, clock),
      fileSystem,
      clock,
      random,
      logger,
      rangesMs: blockRangesMs(blockDurationMs, longestMs),
      retention: currentRetention,
    });
    return new Database({
      options,
      limits,
      blockDurationMs,
      head,
      blocks,
      compactor,
      chunkFiles,
      chunkWriter,
      wal,
      disk,
      replay,
      headChunks,
      floorMs,
      lock: this.#lock,
      mapper: new ChunkMapper(head, chunkWriter, clock, logger),
      openOutOfOrderLog: () => {
        createDirectory(fileSystem, join(dir, 'wbl'));
        return logWriter('wbl', lastOutOfOrderSegment + 1);
      },
      hasOutOfOrderLog: lastOutOfOrderSegment >= 0,
      setRetention: (changed) => (retention = { ...retention, ...changed }),
    });
  }
}

function newestMs(blocks: BlockSet, head: Head): number {
  // The end of a block is exclusive.
  return blocks.blocks.reduce((newest, { meta }) => Math.max(newest, meta.maxTime - 1), head.maxTimeMs);
}

function maxBytes(bytes: number | undefined): { maxBytes?: number } {
  return bytes === undefined ? {} : { maxBytes: bytes };
}
