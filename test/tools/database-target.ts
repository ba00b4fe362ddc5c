import { cpSync, renameSync, rmSync } from 'node:fs';
import { createLogger, nodeFileSystem } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { Matcher } from '../../lib/model/index.ts';
import { openTsdb, type Tsdb } from '../../lib/tsdb/index.ts';
import { appendCommit } from './demo-commits.ts';
import { PrometheusDriver, type PrometheusOptions } from './prometheus-driver.ts';
import type { WrittenSeries } from './remote-write.ts';
import { type Dump, dumpOf } from './samples.ts';
import { TestClock } from '../unit/tsdb/harness.ts';

/** A database on a directory, ours or Prometheus, that a scenario is played on. */
export interface Target {
  /** Prometheus keeps completed out-of-order chunks in a buffer that a kill takes along. */
  readonly keepsLateSamples: boolean;
  append(commit: readonly WrittenSeries[]): Promise<void>;
  delete(label: string, value: string, minMs: number, maxMs: number): Promise<void>;
  clean(): Promise<void>;
  /** Returns when the head is no longer due for compaction, and none is under way. */
  compact(): Promise<void>;
  /** Ends and starts again on the same directory. */
  restart(how: 'kill' | 'stop'): Promise<void>;
  read(): Promise<Dump>;
  /** Leaves the directory as it is. */
  end(how: 'kill' | 'stop'): Promise<void>;
}

export interface TargetOptions {
  readonly blockDurationMs: number;
  readonly maxBlockDurationMs: number;
  readonly outOfOrderWindowMs: number;
}

/** Prometheus, driven by remote write. */
export async function prometheusTarget(
  base: Pick<PrometheusOptions, 'program' | 'version' | 'dataDir' | 'floatEncoding' | 'walCompression' | 'features'>,
  { blockDurationMs, maxBlockDurationMs, outOfOrderWindowMs }: TargetOptions,
): Promise<Target> {
  const options: PrometheusOptions = {
    ...base,
    blockDuration: `${blockDurationMs}ms`,
    maxBlockDuration: `${maxBlockDurationMs}ms`,
    ...(outOfOrderWindowMs > 0 ? { outOfOrderWindow: `${outOfOrderWindowMs}ms` } : {}),
  };
  let driver = await PrometheusDriver.start(options);
  return {
    keepsLateSamples: false,
    append: async (commit) => {
      await driver.write(commit);
      // What it makes of a commit shall not depend on when the next one comes.
      await driver.compacted(blockDurationMs);
    },
    delete: (label, value, minMs, maxMs) => driver.deleteSeries(`{${label}="${value}"}`, minMs, maxMs),
    clean: () => driver.cleanTombstones(),
    compact: () => driver.compacted(blockDurationMs),
    restart: async (how) => {
      await driver.stop(how === 'kill' ? 'SIGKILL' : 'SIGTERM');
      driver = await PrometheusDriver.start(options);
    },
    read: () => driver.read(),
    end: (how) => driver.stop(how === 'kill' ? 'SIGKILL' : 'SIGTERM'),
  };
}

/** Our database. */
export async function ownTarget(dataDir: string, options: TargetOptions): Promise<Target> {
  const open = (): Promise<Tsdb> => {
    const clock = new TestClock();
    clock.nowMs = Date.now();
    return openTsdb({
      dir: dataDir,
      fileSystem: nodeFileSystem,
      clock,
      logger: createLogger('silent'),
      kernels: createKernels(),
      minBlockDurationMs: options.blockDurationMs,
      maxBlockDurationMs: options.maxBlockDurationMs,
      outOfOrderWindowMs: options.outOfOrderWindowMs,
      retention: { timeMs: 0 },
    });
  };
  let db = await open();
  const end = async (how: 'kill' | 'stop'): Promise<void> => {
    const killed = `${dataDir}.killed`;
    if (how === 'kill') cpSync(dataDir, killed, { recursive: true });
    await db.close();
    if (how === 'stop') return;
    rmSync(dataDir, { recursive: true });
    renameSync(killed, dataDir);
    rmSync(`${dataDir}/lock`, { force: true });
  };
  return {
    keepsLateSamples: true,
    append: async (commit) => {
      const refused = await appendCommit(db, commit);
      if (refused > 0) throw new Error(`${refused} samples were refused`);
    },
    delete: async (label, value, minMs, maxMs) => {
      await db.deleteSeries(minMs, maxMs, [new Matcher('=', label, value)]);
    },
    clean: async () => {
      await db.cleanTombstones();
    },
    compact: async () => {
      await db.compact();
    },
    restart: async (how) => {
      await end(how);
      db = await open();
    },
    read: () => dumpOf(db),
    end,
  };
}
