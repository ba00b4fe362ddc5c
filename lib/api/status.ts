/** The endpoints that tell of the program itself: targets, configuration, build. */
import { availableParallelism, hostname } from 'node:os';
import { formatDuration } from '../model/index.ts';
import type { ActiveTarget, ApiDeps, DroppedTarget } from './deps.ts';
import { ApiError } from './errors.ts';
import { partialResponseParam } from './params.ts';
import type { Endpoint } from './queries.ts';

/** Go's zero time, which the API shows for "never". */
const NEVER = '0001-01-01T00:00:00Z';
const MAX_TSDB_ENTRIES = 10_000;

/** The endpoints by path below `/api/v1`; all take GET. */
export function statusEndpoints(deps: ApiDeps): Readonly<Record<string, Endpoint>> {
  return {
    targets: async ({ params }) => {
      const snapshot = await needed(
        deps.targets,
        'targets',
      )({
        partialResponse: partialResponseParam(params),
        params,
      });
      const pool = params.get('scrapePool') ?? '';
      const state = (params.get('state') ?? '').toLowerCase();
      const shows = (which: string) => state === '' || state === 'any' || state === which;
      const inPool = (target: { readonly scrapePool: string }) => pool === '' || target.scrapePool === pool;
      const dropped = shows('dropped');
      return {
        data: {
          activeTargets: shows('active') ? snapshot.active.filter(inPool).map(activeTarget) : [],
          droppedTargets: dropped ? snapshot.dropped.filter(inPool).map(droppedTarget) : [],
          droppedTargetCounts: dropped ? snapshot.droppedCounts : null,
        },
        ...(snapshot.annotations === undefined ? {} : { annotations: snapshot.annotations }),
      };
    },

    'status/buildinfo': async () => ({ data: deps.build }),
    'status/flags': async () => ({ data: deps.flags }),
    'status/config': async () => ({ data: { yaml: await needed(deps.config, 'status/config')() } }),

    'status/runtimeinfo': async () => {
      const status = needed(deps.runtime, 'status/runtimeinfo')();
      return {
        data: {
          startTime: new Date(status.startTimeMs).toISOString(),
          CWD: process.cwd(),
          hostname: hostname(),
          serverTime: new Date(deps.clock.now()).toISOString(),
          reloadConfigSuccess: status.reloadConfigSuccess,
          lastConfigTime: new Date(status.lastConfigTimeMs).toISOString(),
          corruptionCount: status.corruptionCount,
          // Go's scheduler has no counterpart; clients expect the fields.
          goroutineCount: 0,
          GOMAXPROCS: availableParallelism(),
          GOMEMLIMIT: 0,
          GOGC: '',
          GODEBUG: '',
          storageRetention: status.storageRetention,
        },
      };
    },

    'status/tsdb': async ({ params }) => {
      const text = params.get('limit') ?? '';
      const limit = text === '' ? 10 : Number(text);
      if (!Number.isSafeInteger(limit) || limit < 1) throw new ApiError('bad_data', 'limit must be a positive number');
      if (limit > MAX_TSDB_ENTRIES) throw new ApiError('bad_data', `limit must not exceed ${MAX_TSDB_ENTRIES}`);
      return { data: await needed(deps.tsdbStatus, 'status/tsdb')(limit) };
    },
  };
}

function needed<T>(part: T | undefined, path: string): T {
  if (part === undefined) throw new ApiError('not_found', `this program does not serve ${path}`);
  return part;
}

function activeTarget(target: ActiveTarget): object {
  return {
    discoveredLabels: target.discoveredLabels,
    labels: target.labels,
    scrapePool: target.scrapePool,
    scrapeUrl: target.scrapeUrl,
    globalUrl: target.globalUrl ?? target.scrapeUrl,
    lastError: target.lastError,
    lastScrape: target.lastScrapeMs === undefined ? NEVER : new Date(target.lastScrapeMs).toISOString(),
    lastScrapeDuration: target.lastScrapeDurationMs / 1000,
    health: target.health,
    scrapeInterval: formatDuration(target.scrapeIntervalMs),
    scrapeTimeout: formatDuration(target.scrapeTimeoutMs),
  };
}

function droppedTarget({ discoveredLabels, scrapePool }: DroppedTarget): object {
  return { discoveredLabels, scrapePool };
}
