/** The endpoints that change the database; off unless the program says otherwise. Follows Prometheus `web/api/v1/api.go`. */
import { errorMessage } from '../model/index.ts';
import { parseSelector } from '../promql/index.ts';
import type { AdminStorage, ApiDeps } from './deps.ts';
import { type Endpoints, needed } from './endpoint.ts';
import { ApiError, badParameter } from './errors.ts';
import { MAX_TIME_MS, MIN_TIME_MS, optionalTime, parseBoolean, required } from './params.ts';

/** All take POST and PUT. */
export function adminEndpoints(deps: ApiDeps): Endpoints {
  const storage = (): AdminStorage => {
    if (deps.enableAdmin !== true) {
      throw new ApiError('unavailable', 'admin APIs disabled', { status: 500 });
    }
    return needed(deps.admin, 'admin');
  };
  return {
    'admin/tsdb/delete_series': async ({ params }) => {
      const target = storage();
      if (!params.has('match[]')) throw new ApiError('bad_data', 'no match[] parameter provided');
      const startMs = optionalTime(params, 'start', MIN_TIME_MS);
      const endMs = optionalTime(params, 'end', MAX_TIME_MS);
      // All are read before anything is deleted.
      const sets = required(params, 'match[]', () => params.getAll('match[]').map(parseSelector));
      for (const matchers of sets) await done(target.deleteSeries(startMs, endMs, matchers));
      return {};
    },

    'admin/tsdb/clean_tombstones': async () => {
      await done(storage().cleanTombstones());
      return {};
    },

    'admin/tsdb/snapshot': async ({ params }) => {
      const target = storage();
      const text = params.get('skip_head') ?? '';
      const skipsHead = text === '' ? false : parseBoolean(text);
      if (skipsHead === undefined) {
        const reason = `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
        throw badParameter('skip_head', `unable to parse boolean: ${reason}`);
      }
      return { data: { name: await done(target.snapshot(!skipsHead), 'create snapshot: ') } };
    },
  };
}

/** Whatever the database says is `internal` here. */
async function done<T>(work: Promise<T>, prefix = ''): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new ApiError('internal', prefix + errorMessage(error), { cause: error });
  }
}
