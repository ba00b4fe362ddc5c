import { connect as connectTcp } from 'node:net';
import type { ActiveTarget, DroppedTarget, TargetMetadata, TargetsSnapshot } from '../../lib/api/index.ts';
import type { ScrapeConfig, TargetGroup } from '../../lib/config/index.ts';
import { type Clock, type FileSystem, type Logger, nodeFileSystem, type Random } from '../../lib/env/index.ts';
import type { Kernels } from '../../lib/kernels/index.ts';
import type { Appendable } from '../../lib/storage/index.ts';
import type { Connect } from './http-connection.ts';
import { DEFAULT_LIMITS, type ScrapeLimits } from './limits.ts';
import { ScanScratch } from './scan-scratch.ts';
import type { LoopContext } from './scrape-loop.ts';
import { ScrapePool } from './scrape-pool.ts';
import { ScrapeStats } from './scrape-stats.ts';
import { connectionContext } from './scraper.ts';
import type { Target } from './target.ts';

export interface ScrapeManagerOptions {
  readonly kernels: Kernels;
  readonly appendable: Appendable;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly version: string;
  /** What tells this agent from others that scrape the same targets, for the offsets; stable across restarts. */
  readonly offsetSeed: string;
  /** Stands in `globalUrl` where a target's host is a loopback address. */
  readonly externalHost: string;
  readonly limits?: Partial<ScrapeLimits>;
  readonly connect?: Connect;
  readonly files?: FileSystem;
  /** Targets that no network lies before are asked not to compress; default: all. */
  readonly isLocal?: (target: Target) => boolean;
}

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** All scrape pools of an agent. */
export class ScrapeManager {
  readonly stats = new ScrapeStats();
  readonly #context: LoopContext;
  readonly #externalHost: string;
  readonly #pools = new Map<string, ScrapePool>();

  constructor(options: ScrapeManagerOptions) {
    const { kernels, clock, logger, appendable, offsetSeed } = options;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#externalHost = options.externalHost;
    this.#context = {
      appendable,
      clock,
      logger,
      limits,
      stats: this.stats,
      offsetSeed,
      scratch: new ScanScratch(kernels, options.random),
      scraper: {
        ...connectionContext(kernels, clock, options.connect ?? connectTcp),
        files: options.files ?? nodeFileSystem,
        userAgent: `Promlet/${options.version}`,
        bodyLimitBytes: limits.bodySizeBytes,
        isLocal: options.isLocal ?? (() => true),
      },
    };
  }

  /** Adds, changes and removes jobs. A new job has no targets until `setTargetGroups`. */
  applyConfig(configs: readonly ScrapeConfig[]): void {
    const names = new Set(configs.map((config) => config.job_name));
    for (const [name, pool] of this.#pools) {
      if (names.has(name)) continue;
      pool.stop();
      this.#pools.delete(name);
    }
    for (const config of configs) {
      const pool = this.#pools.get(config.job_name);
      if (pool !== undefined) {
        pool.reload(config);
        continue;
      }
      this.#pools.set(config.job_name, new ScrapePool(config, this.#context));
      this.stats.poolsCreated++;
    }
  }

  /** Replaces all groups of a job; of an unknown job they are ignored. */
  setTargetGroups(jobName: string, groups: readonly TargetGroup[]): void {
    this.#pools.get(jobName)?.sync(groups);
  }

  /** Targets of each job. */
  targetCounts(): ReadonlyMap<string, number> {
    return new Map([...this.#pools].map(([name, pool]) => [name, pool.targetCount]));
  }

  snapshot(): TargetsSnapshot {
    const active: ActiveTarget[] = [];
    const dropped: DroppedTarget[] = [];
    const droppedCounts: Record<string, number> = {};
    for (const [scrapePool, pool] of [...this.#pools].sort(([a], [b]) => (a < b ? -1 : 1))) {
      for (const { target, state } of pool.loops) {
        active.push({
          discoveredLabels: target.discoveredLabels,
          labels: target.labels,
          scrapePool,
          scrapeUrl: target.url.href,
          globalUrl: this.#globalUrl(target.url),
          ...state,
          scrapeIntervalMs: target.intervalMs,
          scrapeTimeoutMs: target.timeoutMs,
        });
      }
      for (const discoveredLabels of pool.dropped) dropped.push({ discoveredLabels, scrapePool });
      droppedCounts[scrapePool] = pool.droppedCount;
    }
    return { active, dropped, droppedCounts };
  }

  /** What the pages of each target said of their metrics, in the order of the jobs' names. */
  metadata(): TargetMetadata[] {
    const pools = [...this.#pools].sort(([a], [b]) => (a < b ? -1 : 1));
    return pools.flatMap(([, pool]) =>
      Array.from(pool.loops, ({ target, metadata }) => ({ labels: target.labels, metrics: metadata.list() })),
    );
  }

  /** Ends all scraping at once, without stale markers: after a restart the series go on. */
  stop(): void {
    for (const pool of this.#pools.values()) pool.abandon();
    this.#pools.clear();
  }

  #globalUrl(url: URL): string {
    if (!LOOPBACK.has(url.hostname) || this.#externalHost === '') return url.href;
    const global = new URL(url);
    global.hostname = this.#externalHost;
    return global.href;
  }
}
