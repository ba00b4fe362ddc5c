import { join } from 'node:path';
import type { ApiDeps, TsdbStatus, WalReplayStatus } from '../lib/api/index.ts';
import type { Clock, FileSystem, Random } from '../lib/env/index.ts';
import type { ReplayProgress, Tsdb } from '../lib/tsdb/index.ts';

export interface StorageApiOptions {
  /** Only asked while the agent is ready. */
  readonly tsdb: () => Tsdb;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly files: FileSystem;
}

/** What the API tells of the database and does to it. */
export function storageApi(
  options: StorageApiOptions,
): Required<Pick<ApiDeps, 'tsdbStatus' | 'blocks' | 'exemplars' | 'admin'>> {
  const { tsdb, dataDir, clock, random, files } = options;
  return {
    tsdbStatus: (limit) => tsdbStatus(tsdb(), limit),
    blocks: () => tsdb().blocks(),
    exemplars: (_, minMs, maxMs, matcherSets) => ({ series: tsdb().exemplars(minMs, maxMs, matcherSets) }),
    admin: {
      deleteSeries: (minMs, maxMs, matchers) => tsdb().deleteSeries(minMs, maxMs, matchers),
      cleanTombstones: () => tsdb().cleanTombstones(),
      async snapshot(withHead) {
        const name = snapshotName(clock.now(), random);
        files.mkdirSync(join(dataDir, 'snapshots'), { recursive: true });
        await tsdb().snapshot(join(dataDir, 'snapshots', name), withHead);
        return name;
      },
    },
  };
}

/** Prometheus's `WALReplayStatus`: indexes of segments. */
export function walReplayStatus(progress: ReplayProgress | undefined): WalReplayStatus {
  if (progress === undefined) return { min: 0, max: 0, current: 0 };
  return { min: progress.firstSegment, max: progress.lastSegment, current: progress.segment };
}

/** `20261122T072341Z-0123456789abcdef` */
function snapshotName(nowMs: number, random: Random): string {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  const digits = Array.from({ length: 16 }, () => Math.floor(random() * 16).toString(16));
  return `${time}-${digits.join('')}`;
}

function tsdbStatus(tsdb: Tsdb, limit: number): TsdbStatus {
  const stats = tsdb.stats();
  return {
    headStats: {
      numSeries: stats.numSeries,
      numLabelPairs: stats.numLabelPairs,
      chunkCount: stats.numChunks,
      minTime: stats.minTimeMs ?? 0,
      maxTime: stats.maxTimeMs ?? 0,
    },
    ...tsdb.cardinality(limit),
  };
}
