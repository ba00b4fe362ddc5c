/**
 * Evaluating a query and printing its result: all that is heavy in an answer. A task is plain data and the result comes as
 * pieces of text, so this may as well happen on another thread.
 */
import { Annotations } from '../model/index.ts';
import type { Engine, MemoryBudget, QueryValue } from '../promql/index.ts';
import type { Queryable, Spend } from '../storage/index.ts';
import { queryData } from './json.ts';
import type { ApiLimits } from './limits.ts';
import { limitParam, lookbackDeltaParam, optionalTime, parseDurationParam, parseTime, required } from './params.ts';
import { ApiError, badParameter } from './errors.ts';
import { type QueryStats, queryStats } from './query-stats.ts';
import type { Piece } from './respond.ts';

/** What `/query` or `/query_range` asks for. Times in ms. */
export interface QueryTask {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0: an instant query, at `startMs`. */
  readonly stepMs: number;
  /** The engine's default when left out. */
  readonly lookbackDeltaMs?: number;
  /** Series in the answer; 0: all. */
  readonly limit: number;
  /** The parameter as given; '' asks for none. */
  readonly stats: string;
}

export interface QueryAnswer {
  /** The JSON text of `data`. */
  readonly pieces: Iterable<Piece>;
  readonly annotations: Annotations;
  readonly stats: QueryStats;
  readonly loadedSamples: number;
}

export interface QueryRun {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** How long it waited for its turn, for the statistics. */
  readonly queuedMs: number;
  /** Monotonic. */
  readonly nowMs: () => number;
  readonly spend?: Spend | undefined;
  readonly budget?: MemoryBudget | undefined;
  /** Samples are counted though the client does not ask for it. */
  readonly countSamples?: boolean | undefined;
  /** Samples are told by step to clients that ask for all statistics (`promql-per-step-stats`). */
  readonly perStepStats?: boolean | undefined;
}

export const TRUNCATED = 'results truncated due to limit';

/** @throws ApiError `bad_data` */
export function instantTask(params: URLSearchParams, nowMs: number): QueryTask {
  const limit = limitParam(params);
  const timeMs = optionalTime(params, 'time', nowMs);
  // In the order of Prometheus, which decides what of several errors is told.
  if (params.get('timeout')) required(params, 'timeout', parseDurationParam);
  const lookback = lookbackDeltaParam(params);
  return { ...common(params), startMs: timeMs, endMs: timeMs, stepMs: 0, limit, ...lookback };
}

/** @throws ApiError `bad_data` */
export function rangeTask(params: URLSearchParams, limits: Pick<ApiLimits, 'points'>): QueryTask {
  const limit = limitParam(params);
  const startMs = required(params, 'start', parseTime);
  const endMs = required(params, 'end', parseTime);
  if (endMs < startMs) throw badParameter('end', 'end timestamp must not be before start time');
  const stepMs = Math.trunc(required(params, 'step', parseDurationParam));
  if (stepMs <= 0) {
    throw badParameter(
      'step',
      'zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  }
  if (Math.trunc((endMs - startMs) / stepMs) > limits.points) {
    const points = limits.points.toLocaleString('en-US');
    throw new ApiError(
      'bad_data',
      `exceeded maximum resolution of ${points} points per timeseries. Try decreasing the query resolution (?step=XX)`,
    );
  }
  if (params.get('timeout')) required(params, 'timeout', parseDurationParam);
  const lookback = lookbackDeltaParam(params);
  return { ...common(params), startMs, endMs, stepMs, limit, ...lookback };
}

function common(params: URLSearchParams): Pick<QueryTask, 'query' | 'stats'> {
  return { query: params.get('query') ?? '', stats: params.get('stats') ?? '' };
}

/** Resolves when the result is there; it is printed as the pieces are taken. Rejects with what the engine throws. */
export async function runQueryTask(
  task: QueryTask,
  queryable: Queryable,
  engine: Pick<Engine, 'instant' | 'range'>,
  run: QueryRun,
): Promise<QueryAnswer> {
  const { query, startMs, endMs, stepMs, lookbackDeltaMs } = task;
  const { signal, timeoutMs, queuedMs, nowMs, spend, budget, countSamples = false, perStepStats = false } = run;
  const isAsked = task.stats !== '';
  const options = {
    signal,
    timeoutMs,
    budget,
    ...(lookbackDeltaMs !== undefined && { lookbackDeltaMs }),
    ...(spend !== undefined && { spend }),
    countSamples: isAsked || countSamples,
  };
  const startedMs = nowMs();
  const result =
    stepMs === 0
      ? await engine.instant(queryable, query, startMs, options)
      : await engine.range(queryable, query, startMs, endMs, stepMs, options);
  const annotations = new Annotations();
  annotations.merge(result.annotations);
  const value = truncated(result.value, task.limit, annotations);
  const steps = perStepStats && task.stats === 'all' ? { startMs, stepMs } : undefined;
  const stats = queryStats({ evaluatedMs: nowMs() - startedMs, queuedMs }, result.samples, steps);
  const { loadedSamples } = result;
  if (!isAsked) return { pieces: queryData(value), annotations, stats, loadedSamples };
  if (task.stats !== 'true' && task.stats !== 'all') annotations.warn(deprecatedStats(task.stats));
  return { pieces: queryData(value, JSON.stringify(stats)), annotations, stats, loadedSamples };
}

function truncated(value: QueryValue, limit: number, annotations: Annotations): QueryValue {
  if (limit === 0) return value;
  if (value.type === 'vector' && value.samples.length > limit) {
    annotations.warn(TRUNCATED);
    return { ...value, samples: value.samples.slice(0, limit) };
  }
  if (value.type === 'matrix' && value.series.length > limit) {
    annotations.warn(TRUNCATED);
    return { ...value, series: value.series.slice(0, limit) };
  }
  return value;
}

function deprecatedStats(asked: string): string {
  return `value ${JSON.stringify(asked)} for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"`;
}
