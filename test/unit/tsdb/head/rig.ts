import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger, type FileSystem, nodeFileSystem, seededRandom } from '../../../../lib/env/index.ts';
import { createKernels } from '../../../../lib/kernels/index.ts';
import type { Appendable, Queryable } from '../../../../lib/storage/index.ts';
import { HeadAppender } from '../../../../lib/tsdb/head/appender.ts';
import { ChunkMapper } from '../../../../lib/tsdb/head/chunk-mapper.ts';
import { FoundChunks } from '../../../../lib/tsdb/head/found-chunks.ts';
import { Head } from '../../../../lib/tsdb/head/head.ts';
import { OutOfOrderReplay } from '../../../../lib/tsdb/head/ooo-replay.ts';
import { HeadReader } from '../../../../lib/tsdb/head/querier.ts';
import { HeadReplay } from '../../../../lib/tsdb/head/replay.ts';
import { HeadChunkFiles } from '../../../../lib/tsdb/head-chunks/files.ts';
import { type HeadChunksReport, loadHeadChunks } from '../../../../lib/tsdb/head-chunks/load.ts';
import { HeadChunkWriter } from '../../../../lib/tsdb/head-chunks/writer.ts';
import { replayLog } from '../../../../lib/tsdb/wal/replay.ts';
import { WalWriter } from '../../../../lib/tsdb/wal/writer.ts';
import { TestClock } from '../harness.ts';

export interface HeadRigOptions {
  readonly fileSystem?: FileSystem;
  readonly windowMs?: number;
  readonly maxExemplars?: number;
  readonly blockDurationMs?: number;
  readonly minValidMs?: number;
}

/** What `kill -9` leaves does not depend on fsync, which is what takes the time. */
const unsynced: FileSystem = { ...nodeFileSystem, fsyncSync: () => {}, fdatasyncSync: () => {} };

/** A head with its files, without blocks: what is logged, what is mapped, what a restart brings back. */
export class HeadRig implements Appendable, Queryable {
  readonly head: Head;
  readonly wal: WalWriter;
  readonly wbl: WalWriter;
  readonly mapper: ChunkMapper;
  readonly files: HeadChunkFiles;
  readonly replay: HeadReplay;
  readonly found: HeadChunksReport;
  /** Chunks found on file that the log had no series for. */
  readonly unclaimed: number;
  readonly writer: HeadChunkWriter;
  readonly #windowMs: number;
  readonly #clock: TestClock;

  private constructor(
    parts: Pick<HeadRig, 'head' | 'wal' | 'wbl' | 'mapper' | 'files' | 'replay' | 'found' | 'unclaimed'>,
    writer: HeadChunkWriter,
    windowMs: number,
    clock: TestClock,
  ) {
    this.head = parts.head;
    this.wal = parts.wal;
    this.wbl = parts.wbl;
    this.mapper = parts.mapper;
    this.files = parts.files;
    this.replay = parts.replay;
    this.found = parts.found;
    this.unclaimed = parts.unclaimed;
    this.writer = writer;
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  static async open(dir: string, options: HeadRigOptions = {}): Promise<HeadRig> {
    const { fileSystem = unsynced, windowMs = 0, maxExemplars = 0, minValidMs = -Infinity } = options;
    const kernels = createKernels();
    const logger = createLogger('silent');
    const clock = new TestClock();
    const limits = { maxSeries: 0, maxFutureMs: 0 };
    const head = new Head(kernels, options.blockDurationMs ?? 7_200_000, limits, undefined, seededRandom(1));
    head.exemplars.resize(maxExemplars);
    head.exemplars.outOfOrderWindowMs = windowMs;
    const dirOf = (name: string): string => {
      mkdirSync(join(dir, name), { recursive: true });
      return join(dir, name);
    };
    const shared = { fileSystem, kernels, logger, clock, monotonicMs: () => performance.now() };
    const corruptDir = join(dir, 'corrupt');
    const chunksDir = dirOf('chunks_head');
    const files = new HeadChunkFiles({ ...shared, dir: chunksDir });
    head.readMapped = ({ file, offsetBytes }) => files.read(file, offsetBytes);
    const waiting = new FoundChunks(kernels.arena);
    const found = await loadHeadChunks({ ...shared, dir: chunksDir, corruptDir, repair: true }, (chunk) =>
      waiting.add(chunk),
    );
    const replay = new HeadReplay(head, waiting, minValidMs);
    const log = { ...shared, corruptDir, damaged: 'repair' as const };
    const wal = await replayLog({ ...log, dir: dirOf('wal') }, replay);
    const late = new OutOfOrderReplay(head, replay, waiting.lastOutOfOrder);
    const wbl = await replayLog({ ...log, dir: dirOf('wbl') }, late);
    const unclaimed = waiting.release(head);
    head.appendCounts.fill(0);
    const fsyncIntervalMs = 5000;
    const writer = new HeadChunkWriter({ ...shared, dir: chunksDir, nextFile: found.nextFile, fsyncIntervalMs });
    const logWriter = (name: string, segment: number): WalWriter =>
      new WalWriter({ ...shared, dir: dirOf(name), segment, compress: true, fsyncIntervalMs });
    const parts = {
      head,
      replay,
      found,
      unclaimed,
      files,
      wal: logWriter('wal', wal.lastSegment + 1),
      wbl: logWriter('wbl', wbl.lastSegment + 1),
      mapper: new ChunkMapper(head, writer, shared, logger),
    };
    return new HeadRig(parts, writer, windowMs, clock);
  }

  appender(): HeadAppender {
    const { head, wal, wbl, mapper } = this;
    const windowMs = this.#windowMs;
    return new HeadAppender({
      head,
      outOfOrder: windowMs === 0 ? undefined : { windowMs, mapper, log: (commit) => wbl.log(commit) },
      now: () => this.#clock.now(),
      log: (commits) => wal.log(...commits),
      takeBack: () => wal.takeBack(),
    });
  }

  querier(minTimeMs: number, maxTimeMs: number): HeadReader {
    return new HeadReader(this.head.view, this.head.chunkReader, minTimeMs, maxTimeMs);
  }

  async close(): Promise<void> {
    await this.wal.close();
    await this.wbl.close();
    await this.writer.close();
    this.files.close();
  }
}
