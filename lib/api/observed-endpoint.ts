import type { Clock } from '../env/index.ts';
import type { ApiRequest, Endpoint } from './deps.ts';
import { toApiError } from './errors.ts';
import type { ApiLimits } from './limits.ts';
import type { EndedQuery, QueryObserver } from './query-observer.ts';
import { queryStats } from './query-stats.ts';
import { instantTask, type QueryTask, rangeTask } from './query-task.ts';

const NONE_COUNTED = {
  total: 0,
  read: 0,
  totalPerStep: new Float64Array(0),
  readPerStep: new Float64Array(0),
  peak: 0,
};

/** `query` and `query_range` with somebody told of them; other endpoints as they are. */
export function observedEndpoint(
  path: string,
  endpoint: Endpoint,
  observer: QueryObserver | undefined,
  limits: ApiLimits,
  clock: Clock,
): Endpoint {
  if (observer === undefined || (path !== 'query' && path !== 'query_range')) return endpoint;
  const taskOf = ({ params }: ApiRequest): QueryTask =>
    path === 'query' ? instantTask(params, clock.now()) : rangeTask(params, limits);
  return async (request) => {
    const task = taskOf(request);
    const { countsSamples } = observer;
    const startedMs = clock.monotonicMs();
    observer.onBegin();
    let ended: EndedQuery | undefined;
    try {
      const answer = await endpoint({ ...request, task, countSamples: countsSamples });
      const { stats, loadedSamples = 0 } = answer;
      if (stats !== undefined) ended = { task, stats, loadedSamples, origin: request.origin };
      return answer;
    } catch (error) {
      const { errorType, message } = toApiError(error, request.signal);
      // Parameters and expressions that are wrong never get as far as the engine.
      if (errorType !== 'bad_data') {
        const timings = { evaluatedMs: clock.monotonicMs() - startedMs, queuedMs: 0 };
        const stats = queryStats(timings, countsSamples ? NONE_COUNTED : undefined, undefined);
        ended = { task, stats, loadedSamples: 0, error: message, origin: request.origin };
      }
      throw error;
    } finally {
      observer.onEnd(ended);
    }
  };
}
