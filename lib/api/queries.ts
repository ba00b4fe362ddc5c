/** The endpoints that read storage. Follows Prometheus `web/api/v1/api.go`. */
import { compareUtf8, errorMessage, Annotations, type Labels, type Matcher } from '../model/index.ts';
import { exprToString, parseExpr } from '../promql/index.ts';
import type { LabelAnswer, Querier } from '../storage/index.ts';
import type { ApiDeps } from './deps.ts';
import { ApiError, badParameter } from './errors.ts';
import { QueryGate } from './gate.ts';
import { labelSetsData, queryData, stringsData } from './json.ts';
import type { ApiLimits } from './limits.ts';
import {
  limitParam,
  matcherSets,
  MAX_TIME_MS,
  MIN_TIME_MS,
  optionalTime,
  parseDurationParam,
  parseTime,
  partialResponseParam,
  required,
  unescapeLabelName,
} from './params.ts';
import type { Answer } from './respond.ts';

/** One request, as endpoints see it. */
export interface ApiRequest {
  readonly params: URLSearchParams;
  /** `:name` of the path, '' where there is none. */
  readonly name: string;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

export type Endpoint = (request: ApiRequest) => Promise<Answer>;

const TRUNCATED = 'results truncated due to limit';

/** The endpoints by path below `/api/v1`; all take GET, and POST but for label values. */
export function queryEndpoints(deps: ApiDeps, limits: ApiLimits): Readonly<Record<string, Endpoint>> {
  const gate = new QueryGate(limits.concurrentQueries, deps.clock);

  const viewOf = (params: URLSearchParams) => deps.queryable({ partialResponse: partialResponseParam(params), params });

  /** Runs `work` in its turn, its time bounded by the client's `timeout` and ours. */
  const timed = async <T>(
    { params, signal }: ApiRequest,
    work: (signal: AbortSignal, restMs: number) => Promise<T>,
  ): Promise<T> => {
    const asked = params.get('timeout') ?? '';
    const timeoutMs = asked === '' ? limits.queryTimeoutMs : required(params, 'timeout', parseDurationParam);
    if (timeoutMs <= 0) throw new ApiError('timeout', 'query timed out in query queue');
    return gate.run(Math.min(timeoutMs, limits.maxQueryTimeoutMs), signal, (restMs) => work(signal, restMs));
  };

  /** Like `timed`, on a querier of the asked time range, which is aborted at its deadline. */
  const withQuerier = async <T>(
    request: ApiRequest,
    work: (querier: Querier, startMs: number, endMs: number, signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const startMs = optionalTime(request.params, 'start', MIN_TIME_MS);
    const endMs = optionalTime(request.params, 'end', MAX_TIME_MS);
    return timed(request, async (clientSignal, restMs) => {
      const deadline = new AbortController();
      const timer = deps.clock.setTimer(() => deadline.abort(), restMs);
      const querier = viewOf(request.params).querier(startMs, endMs);
      try {
        return await work(querier, startMs, endMs, AbortSignal.any([clientSignal, deadline.signal]));
      } catch (error) {
        if (!deadline.signal.aborted) throw error;
        throw new ApiError('timeout', 'reading timed out', { cause: error });
      } finally {
        timer.cancel();
        querier.close();
      }
    });
  };

  /** The union of what each selector finds, within the limit. */
  const labelStrings = async (
    request: ApiRequest,
    read: (
      querier: Querier,
      hints: { limit: number; signal: AbortSignal },
      matchers: readonly Matcher[],
    ) => Promise<LabelAnswer>,
  ): Promise<Answer> => {
    const limit = boundedLimit(limitParam(request.params), limits.labelResults);
    const sets = matcherSets(request.params);
    return withQuerier(request, async (querier, _startMs, _endMs, signal) => {
      const annotations = new Annotations();
      const found = new Set<string>();
      for (const matchers of sets.length === 0 ? [[]] : sets) {
        const answer = await read(querier, { limit: limit + 1, signal }, matchers);
        annotations.merge(answer.annotations);
        for (const value of answer.values) found.add(value);
      }
      const values = [...found].sort(compareUtf8);
      const warning = values.length > limit ? TRUNCATED : undefined;
      return { data: undefined, pieces: stringsData(values.slice(0, limit)), annotations, warning };
    });
  };

  return {
    query: async (request) => {
      const { params } = request;
      const limit = limitParam(params);
      const timeMs = optionalTime(params, 'time', deps.clock.now());
      const lookback = lookbackOf(params);
      const { value, annotations } = await timed(request, (signal, timeoutMs) =>
        deps.engine.instant(viewOf(params), queryOf(params), timeMs, { signal, timeoutMs, ...lookback }),
      );
      if (value.type === 'vector' && limit > 0 && value.samples.length > limit) {
        const samples = value.samples.slice(0, limit);
        return { data: undefined, pieces: queryData({ ...value, samples }), annotations, warning: TRUNCATED };
      }
      if (value.type === 'matrix' && limit > 0 && value.series.length > limit) {
        const series = value.series.slice(0, limit);
        return { data: undefined, pieces: queryData({ ...value, series }), annotations, warning: TRUNCATED };
      }
      return { data: undefined, pieces: queryData(value), annotations };
    },

    query_range: async (request) => {
      const { params } = request;
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
        throw new ApiError(
          'bad_data',
          `exceeded maximum resolution of ${limits.points.toLocaleString('en-US')} points per timeseries. Try decreasing the query resolution (?step=XX)`,
        );
      }
      const lookback = lookbackOf(params);
      const { value, annotations } = await timed(request, (signal, timeoutMs) =>
        deps.engine.range(viewOf(params), queryOf(params), startMs, endMs, stepMs, { signal, timeoutMs, ...lookback }),
      );
      if (value.type === 'matrix' && limit > 0 && value.series.length > limit) {
        const series = value.series.slice(0, limit);
        return { data: undefined, pieces: queryData({ ...value, series }), annotations, warning: TRUNCATED };
      }
      return { data: undefined, pieces: queryData(value), annotations };
    },

    labels: async (request) => labelStrings(request, (querier, hints, matchers) => querier.labelNames(hints, matchers)),

    'label/:name/values': async (request) => {
      const name = unescapeLabelName(request.name);
      if (name === '' || !name.isWellFormed()) throw new ApiError('bad_data', `invalid label name: "${name}"`);
      return labelStrings(request, (querier, hints, matchers) => querier.labelValues(name, hints, matchers));
    },

    series: async (request) => {
      const { params } = request;
      if (!params.has('match[]')) throw new ApiError('bad_data', 'no match[] parameter provided');
      const limit = boundedLimit(limitParam(params), limits.seriesResults);
      // Only this endpoint names the parameter in its error.
      const sets = required(params, 'match[]', () => matcherSets(params));
      return withQuerier(request, async (querier, startMs, endMs, signal) => {
        const annotations = new Annotations();
        const found = new Map<string, Labels>();
        for (const matchers of sets) {
          const hints = { startMs, endMs, func: 'series', limit: limit + 1, signal };
          const set = await querier.select(sets.length > 1, hints, matchers);
          for await (const batch of set.batches) {
            signal.throwIfAborted();
            for (const { labels } of batch) found.set(labels.key, labels);
            if (found.size > limit) break;
          }
          annotations.merge(set.annotations);
        }
        const all = [...found.values()];
        if (sets.length > 1) all.sort((a, b) => a.compare(b));
        const warning = all.length > limit ? TRUNCATED : undefined;
        return { data: undefined, pieces: labelSetsData(all.slice(0, limit)), annotations, warning };
      });
    },

    format_query: async ({ params }) => ({ data: exprToString(parseExpr(queryOf(params))) }),
  };
}

function queryOf(params: URLSearchParams): string {
  return params.get('query') ?? '';
}

/** What the client asks for, within ours; 0 asks for all. */
function boundedLimit(asked: number, most: number): number {
  return asked === 0 ? most : Math.min(asked, most);
}

function lookbackOf(params: URLSearchParams): { lookbackDeltaMs?: number } {
  const text = params.get('lookback_delta') ?? '';
  if (text === '') return {};
  try {
    const lookbackDeltaMs = parseDurationParam(text);
    return lookbackDeltaMs === 0 ? {} : { lookbackDeltaMs };
  } catch (error) {
    throw new ApiError('bad_data', `error parsing lookback delta duration: ${errorMessage(error)}`);
  }
}
