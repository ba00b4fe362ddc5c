/** The endpoints that read samples and series. They may work on any thread that storage can be read from. */
import type { ApiRequest, QueryDeps } from './deps.ts';
import type { Endpoints } from './endpoint.ts';
import type { ApiLimits } from './limits.ts';
import { partialResponseParam } from './params.ts';
import { instantTask, type QueryTask, rangeTask, runQueryTask } from './query-task.ts';
import type { Answer } from './respond.ts';
import { seriesEndpoints } from './series-endpoints.ts';
import { createTurns } from './turns.ts';

/** All take GET, and POST but for label values. */
export function queryEndpoints(deps: QueryDeps, limits: ApiLimits, turns = createTurns(limits, deps.clock)): Endpoints {
  const run = (
    { params, signal, spend, budget, countSamples, queuedMs: queuedBeforeMs = 0 }: ApiRequest,
    task: QueryTask,
  ): Promise<Answer> =>
    turns.take(params, signal, async (timeoutMs, waitedMs) => {
      const queryable = deps.queryable({ partialResponse: partialResponseParam(params), params, budget });
      const nowMs = (): number => deps.clock.monotonicMs();
      return runQueryTask(task, queryable, deps.engine, {
        signal,
        timeoutMs,
        queuedMs: queuedBeforeMs + waitedMs,
        nowMs,
        spend,
        budget,
        countSamples,
        perStepStats: deps.perStepStats,
      });
    });

  return {
    query: async (request) => run(request, request.task ?? instantTask(request.params, deps.clock.now())),
    query_range: async (request) => run(request, request.task ?? rangeTask(request.params, limits)),
    ...seriesEndpoints(deps, limits, turns),
  };
}
