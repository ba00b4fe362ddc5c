/** The endpoints that list series and labels. Follows Prometheus `web/api/v1/api.go`. */
import type { Clock } from '../env/index.ts';
import { Annotations, type Labels, type Matcher, sortUtf8 } from '../model/index.ts';
import { labelsBytes, type MemoryBudget, textsBytes } from '../promql/index.ts';
import type { LabelAnswer, LabelHints, Querier, Spend } from '../storage/index.ts';
import type { ApiRequest, QueryDeps } from './deps.ts';
import type { Endpoints } from './endpoint.ts';
import { ApiError } from './errors.ts';
import { labelSetsData, packedTextsData, stringsData } from './json.ts';
import type { ApiLimits } from './limits.ts';
import {
  limitParam,
  matcherSets,
  MAX_TIME_MS,
  MIN_TIME_MS,
  optionalTime,
  partialResponseParam,
  required,
  unescapeLabelName,
} from './params.ts';
import { TRUNCATED } from './query-task.ts';
import type { Answer } from './respond.ts';
import type { Turns } from './turns.ts';

/** What it costs to join and print the labels of a series, and to sort and print a text, as `Spend` counts. */
const SERIES_WORK = 250;
const TEXT_WORK = 20;
const PACKED_TEXT_WORK = 2;

/** All take GET, and POST but for label values. */
export function seriesEndpoints(deps: QueryDeps, limits: ApiLimits, turns: Turns): Endpoints {
  /** In its turn, on a querier of the asked time range, which is aborted at its deadline. */
  const withQuerier = async <T>(
    request: ApiRequest,
    work: (querier: Querier, startMs: number, endMs: number, watch: Watch) => Promise<T>,
  ): Promise<T> => {
    const { params, budget, spend } = request;
    const startMs = optionalTime(params, 'start', MIN_TIME_MS);
    const endMs = optionalTime(params, 'end', MAX_TIME_MS);
    return turns.take(params, request.signal, async (restMs) => {
      const view = deps.queryable({ partialResponse: partialResponseParam(params), params, budget });
      const read = async (signal: AbortSignal): Promise<T> => {
        const querier = view.querier(startMs, endMs);
        try {
          return await work(querier, startMs, endMs, { signal, budget, ...(spend && { spend }) });
        } finally {
          querier.close();
        }
      };
      // Who is told of the work ends it long before: what a deadline takes is a tenth of a small request.
      return spend === undefined ? withDeadline(request.signal, restMs, deps.clock, read) : read(request.signal);
    });
  };

  /** The union of what each selector finds, within the limit. */
  const labelStrings = async (
    request: ApiRequest,
    read: (querier: Querier, hints: LabelHints, matchers: readonly Matcher[]) => Promise<LabelAnswer>,
  ): Promise<Answer> => {
    const limit = boundedLimit(limitParam(request.params), limits.labelResults);
    const sets = matcherSets(request.params);
    return withQuerier(request, async (querier, _startMs, _endMs, watch) => {
      const annotations = new Annotations();
      const found: LabelAnswer[] = [];
      const { budget, ...ends } = watch;
      for (const matchers of sets.length === 0 ? [[]] : sets) {
        const answer = await read(querier, { limit: limit + 1, ...ends }, matchers);
        watch.spend?.(printingWork(answer));
        budget?.hold(answerBytes(answer));
        annotations.merge(answer.annotations);
        found.push(answer);
      }
      const packed = found.length === 1 ? found[0]!.packed : undefined;
      if (packed !== undefined) {
        if (packed.length > limit) annotations.warn(TRUNCATED);
        return { pieces: packedTextsData(packed.first(limit)), annotations };
      }
      const values = found.length === 1 ? found[0]!.values : sortUtf8([...new Set(found.flatMap((one) => one.values))]);
      if (values.length > limit) annotations.warn(TRUNCATED);
      return { pieces: stringsData(values.slice(0, limit)), annotations };
    });
  };

  return {
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
      return withQuerier(request, async (querier, startMs, endMs, watch) => {
        const { budget, ...ends } = watch;
        const annotations = new Annotations();
        const found: Labels[] = [];
        for (const matchers of sets) {
          const hints = { startMs, endMs, func: 'series', limit: limit + 1, ...ends };
          const set = await querier.select(sets.length > 1, hints, matchers);
          const before = found.length;
          for await (const batch of set.batches) {
            watch.signal.throwIfAborted();
            watch.spend?.(SERIES_WORK * batch.length);
            for (const { labels } of batch) {
              budget?.hold(labelsBytes(labels));
              found.push(labels);
            }
            if (found.length - before > limit) break;
          }
          annotations.merge(set.annotations);
        }
        const all = sets.length === 1 ? found : distinct(found);
        if (all.length > limit) annotations.warn(TRUNCATED);
        return { pieces: labelSetsData(all.slice(0, limit)), annotations };
      });
    },
  };
}

function printingWork(answer: LabelAnswer): number {
  return answer.packed === undefined ? TEXT_WORK * answer.values.length : PACKED_TEXT_WORK * answer.packed.length;
}

function answerBytes(answer: LabelAnswer): number {
  return answer.packed === undefined ? textsBytes(answer.values) : answer.packed.byteLength;
}

/** Sorted. */
function distinct(found: readonly Labels[]): readonly Labels[] {
  const sorted = found.toSorted((a, b) => a.compare(b));
  return sorted.filter((labels, i) => i === 0 || !labels.equals(sorted[i - 1]!));
}

/** @throws ApiError `timeout` when the work ended at its deadline */
async function withDeadline<T>(
  gone: AbortSignal,
  restMs: number,
  clock: Clock,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const timer = clock.setTimer(() => deadline.abort(), restMs);
  try {
    return await work(AbortSignal.any([gone, deadline.signal]));
  } catch (error) {
    if (!deadline.signal.aborted) throw error;
    throw new ApiError('timeout', 'reading timed out', { cause: error });
  } finally {
    timer.cancel();
  }
}

/** What may end the work. */
interface Watch {
  readonly signal: AbortSignal;
  readonly budget: MemoryBudget | undefined;
  readonly spend?: Spend;
}

/** What the client asks for, within ours; 0 asks for all. */
function boundedLimit(asked: number, most: number): number {
  return asked === 0 ? most : Math.min(asked, most);
}
