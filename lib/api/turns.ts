import type { Clock } from '../env/index.ts';
import { ApiError } from './errors.ts';
import { QueryGate } from './gate.ts';
import type { ApiLimits } from './limits.ts';
import { parseDurationParam, required } from './params.ts';

/** Reading storage in turn, each reader bounded by the client's `timeout` and ours. */
export interface Turns {
  /**
   * @param work is told how long it may take and how long it waited
   * @throws ApiError `timeout`, `canceled` when the turn does not come in time
   */
  take<T>(
    params: URLSearchParams,
    signal: AbortSignal,
    work: (restMs: number, waitedMs: number) => Promise<T>,
  ): Promise<T>;
}

export function createTurns(limits: ApiLimits, clock: Clock): Turns {
  const gate = new QueryGate(limits.concurrentQueries, clock);
  return {
    take: async (params, signal, work) => gate.run(queryTimeoutMs(params, limits), signal, work),
  };
}

/** How long a request may take, waiting for its turn included. @throws ApiError `bad_data`, `timeout` */
export function queryTimeoutMs(
  params: URLSearchParams,
  limits: Pick<ApiLimits, 'queryTimeoutMs' | 'maxQueryTimeoutMs'>,
): number {
  const asked = params.get('timeout') ?? '';
  const timeoutMs = asked === '' ? limits.queryTimeoutMs : required(params, 'timeout', parseDurationParam);
  if (timeoutMs <= 0) throw new ApiError('timeout', 'query timed out in query queue');
  return Math.min(timeoutMs, limits.maxQueryTimeoutMs);
}
