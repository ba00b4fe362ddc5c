/** The endpoints that tell of the program itself. */
import { availableParallelism, hostname } from 'node:os';
import type { ApiDeps } from './deps.ts';
import { type Endpoints, needed } from './endpoint.ts';
import { ApiError } from './errors.ts';
import { featureGroups } from './features.ts';

const MAX_TSDB_ENTRIES = 10_000;

/** All take GET. */
export function statusEndpoints(deps: ApiDeps): Endpoints {
  return {
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

    'status/tsdb/blocks': async () => ({ data: { blocks: needed(deps.blocks, 'status/tsdb/blocks')() } }),
    features: async () => ({ data: featureGroups(deps) }),
    // What Prometheus notes there (a restart that is due, a configuration that failed to load) is in our status and log.
    notifications: async () => ({ data: [] }),
  };
}

/** Answered before the program is ready, too. All take GET. */
export function earlyEndpoints(deps: ApiDeps): Endpoints {
  return {
    'status/walreplay': async () => ({ data: needed(deps.walReplay, 'status/walreplay')() }),
  };
}
