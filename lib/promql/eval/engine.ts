import { type Clock, systemClock } from '../../env/index.ts';
import { threadKernels } from '../../kernels/index.ts';
import { assert, Labels, PromletError } from '../../model/index.ts';
import type { Queryable, Spend } from '../../storage/index.ts';
import type { PromqlFeatures } from '../features.ts';
import {
  DEFAULT_LOOKBACK_DELTA_MS,
  DEFAULT_MAX_QUERY_MEMORY_BYTES,
  DEFAULT_MAX_SAMPLES,
  DEFAULT_SUBQUERY_STEP_MS,
  DEFAULT_TIMEOUT_MS,
} from '../limits.ts';
import { type Expr, valueTypeOf } from '../parse/ast.ts';
import { QueryMemo } from '../parse/query-memo.ts';
import { ColumnMemory } from './column-memory.ts';
import { type ColumnSeries, gridTimes, hasSamples, type StepGrid, withoutMetadata } from './columns.ts';
import { mergeEqualLabels } from './combine.ts';
import { isOverBudget, QueryContext, type QueryTimes } from './context.ts';
import { resolveDurations } from './durations.ts';
import { Evaluator } from './evaluator.ts';
import { MatrixCollector } from './matrix-collector.ts';
import { ENTRY_BYTES, stepsBytes } from './memory.ts';
import { MemoryBudget } from './memory-budget.ts';
import type { PoolShare } from './memory-pool.ts';
import type { Assistants, AssistTask, PartAnswer } from '../parallel/assistance.ts';
import { distributionsOf } from '../parallel/distribution.ts';
import { PartClaims } from '../parallel/part-claims.ts';
import { leastWork } from '../parallel/partial.ts';
import { Sharing } from '../parallel/sharing.ts';
import { SampleCounts } from './sample-counts.ts';
import { SelectorReader } from './select.ts';
import type { MatrixSeries, QueryResult, QueryValue, VectorSample } from './value.ts';

export interface EngineOptions {
  readonly lookbackDeltaMs?: number;
  readonly maxSamples?: number;
  /** Memory of one query, as the engine estimates it. */
  readonly maxBytes?: number;
  /** What queries of other threads take counts, too. Whoever asks gives it back, when the result is not needed any more. */
  readonly pool?: PoolShare;
  readonly timeoutMs?: number;
  /** Resolution of subqueries that name none. */
  readonly subqueryStepMs?: number;
  readonly clock?: Clock;
  readonly features?: PromqlFeatures;
}

export interface QueryOptions {
  readonly signal?: AbortSignal;
  readonly lookbackDeltaMs?: number;
  readonly timeoutMs?: number;
  /** In place of the engine's own. */
  readonly budget?: MemoryBudget | undefined;
  /** Is told of work, by the storage too; what it throws ends the query. */
  readonly spend?: Spend;
  /** Counts the samples that are looked at, which takes some time. */
  readonly countSamples?: boolean;
  /** Whom to ask for help with aggregations of many series. Nobody is where samples are counted. */
  readonly assistants?: Assistants;
}

/**
 * Evaluates PromQL over any storage. Stateless between queries; a query never blocks the event loop for more than about
 * 10 ms at a time.
 *
 * Errors are PromletErrors: `promql/parse`, `promql/execution` (the data does not fit the query), `promql/timeout`,
 * `promql/canceled`, `promql/too-many-samples`, `promql/too-many-bytes`, `query/unavailable` (of memory, when others have
 * it), and whatever the storage throws.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #clock: Clock;
  readonly #queries: QueryMemo;

  constructor(options: EngineOptions = {}) {
    this.#options = options;
    this.#queries = new QueryMemo(options.features);
    this.#clock = options.clock ?? systemClock;
  }

  /** The value at one time. A vector keeps the order that `sort` and `topk` gave it. */
  async instant(queryable: Queryable, query: string, timeMs: number, options: QueryOptions = {}): Promise<QueryResult> {
    const times = { startMs: timeMs, endMs: timeMs, stepMs: 0 };
    const expr = resolveDurations(this.#queries.parse(query), times);
    return this.#run<QueryValue>(queryable, query, expr, times, options, async (evaluator, context) => {
      const grid = stepsOf(times);
      const type = valueTypeOf(expr);
      if (type === 'string') return { type, timestampMs: timeMs, value: evaluator.string(expr) };
      if (type === 'matrix') return { type, series: sortedByLabels(await evaluator.matrix(expr, grid)) };
      const columns = await evaluator.evaluate(expr, grid);
      if (columns.type === 'scalar') return { type: 'scalar', timestampMs: timeMs, value: columns.values[0]! };
      context.takeBytes(2 * ENTRY_BYTES * columns.series.length);
      return { type: 'vector', samples: toSamples(finished(columns.series, context), timeMs) };
    });
  }

  /** The values at `startMs`, `startMs + stepMs`, … up to `endMs`: a matrix, sorted by labels. */
  async range(
    queryable: Queryable,
    query: string,
    startMs: number,
    endMs: number,
    stepMs: number,
    options: QueryOptions = {},
  ): Promise<QueryResult> {
    assert(stepMs > 0 && endMs >= startMs, 'promql: a range query needs a positive step and an end behind its start');
    const parsed = this.#queries.parse(query);
    const type = valueTypeOf(parsed);
    if (type !== 'scalar' && type !== 'vector') {
      const found = type === 'matrix' ? 'range vector' : type;
      const reason = `invalid expression type "${found}" for range query, must be Scalar or instant Vector`;
      throw new PromletError('promql/parse', reason);
    }
    const times = { startMs, endMs, stepMs };
    const expr = resolveDurations(parsed, times);
    const grid = { ...stepsOf(times), isRange: endMs > startMs };
    return this.#run(queryable, query, expr, times, options, async (evaluator, context) => {
      context.requireRoom(grid.count);
      context.requireBytes(stepsBytes(grid.count));
      return { type: 'matrix', series: sortedByLabels(await matrixOf(expr, evaluator, grid, context)) };
    });
  }

  /**
   * Helps another engine with the same options: parts of its task that this one can claim, until none is left. What is thrown
   * is what became of the parts that were claimed last.
   */
  async *assist(
    queryable: Queryable,
    task: AssistTask,
    { signal }: Pick<QueryOptions, 'signal'>,
  ): AsyncGenerator<PartAnswer> {
    const { query, times, grid, parts, sharers, lookbackDeltaMs, timeoutMs, maxBytes } = task;
    const options = { lookbackDeltaMs, timeoutMs, maxBytes, ...(signal && { signal }) };
    const { features } = this.#options;
    const claims = new PartClaims(parts.length, task.claims);
    const expr = resolveDurations(this.#queries.parse(query), times);
    const delayedNameRemoval = features?.delayedNameRemoval ?? false;
    const distribution = distributionsOf(expr, { delayedNameRemoval })[task.distribution];
    assert(distribution !== undefined, 'promql: asked for help with what does not distribute');
    let leastParts = 1;
    for (;;) {
      const range = claims.takeLast(sharers, leastParts);
      if (range === undefined) return;
      const own = parts.slice(range.from, range.end);
      const { value, annotations, loadedSamples } = await this.#run(
        queryable,
        query,
        expr,
        times,
        options,
        (evaluator, context) =>
          evaluator.partial(distribution, grid, own).catch((error: unknown) => {
            // There may be room where the query has its whole budget.
            if (isOverBudget(error)) return { partial: undefined, nameHashes: undefined, samples: context.samples };
            throw error;
          }),
      );
      yield { ...range, ...value, annotations: annotations.data, loadedSamples };
      // The rest will not be otherwise.
      if (value.partial === undefined) return;
      // Telling of further parts costs as much as this did.
      leastParts = (leastWork(value.partial) * parts.length) / task.work;
    }
  }

  async #run<T>(
    queryable: Queryable,
    query: string,
    expr: Expr,
    times: QueryTimes,
    options: QueryOptions & { readonly maxBytes?: number },
    evaluate: (evaluator: Evaluator, context: QueryContext) => Promise<T>,
  ): Promise<Omit<QueryResult, 'value'> & { value: T }> {
    const defaults = this.#options;
    const memory = new ColumnMemory(threadKernels());
    const maxBytes = options.maxBytes ?? defaults.maxBytes ?? DEFAULT_MAX_QUERY_MEMORY_BYTES;
    const budget = options.budget ?? new MemoryBudget({ maxBytes, pool: defaults.pool });
    const context = new QueryContext({
      query,
      times,
      clock: this.#clock,
      deadlineMs: this.#clock.monotonicMs() + (options.timeoutMs ?? defaults.timeoutMs ?? DEFAULT_TIMEOUT_MS),
      maxSamples: defaults.maxSamples ?? DEFAULT_MAX_SAMPLES,
      budget,
      lookbackDeltaMs: options.lookbackDeltaMs ?? defaults.lookbackDeltaMs ?? DEFAULT_LOOKBACK_DELTA_MS,
      delayedNameRemoval: defaults.features?.delayedNameRemoval ?? false,
      usesStartTimes: defaults.features?.startTimes ?? false,
      signal: options.signal,
      memory,
      onSpend: options.spend,
    });
    context.check();
    if (options.countSamples === true) {
      context.counts = new SampleCounts(stepsOf(times));
    }
    const { counts } = context;
    const reader = new SelectorReader(queryable, context, expr);
    try {
      const assistants = counts === undefined ? options.assistants : undefined;
      const sharing = assistants && new Sharing(expr, context, assistants);
      const evaluator = new Evaluator(context, reader, defaults.subqueryStepMs ?? DEFAULT_SUBQUERY_STEP_MS, sharing);
      const value = await evaluate(evaluator, context);
      const samples = counts && { ...counts.counted, peak: context.peakSamples };
      return { value, annotations: context.annotations, samples, loadedSamples: context.loadedSamples };
    } finally {
      reader.close();
      memory.close();
    }
  }
}

function stepsOf({ startMs, endMs, stepMs }: QueryTimes): StepGrid {
  if (stepMs === 0) return { startMs, stepMs: 1, count: 1 };
  return { startMs, stepMs, count: Math.floor((endMs - startMs) / stepMs) + 1 };
}

/** Names that were kept for the sake of outer operators go now. */
function finished(series: readonly ColumnSeries[], context: QueryContext): readonly ColumnSeries[] {
  if (!context.delayedNameRemoval) return series;
  const named = series.map((one) => (one.dropName ? { ...one, labels: withoutMetadata(one.labels) } : one));
  return mergeEqualLabels(named, context);
}

function toSamples(series: readonly ColumnSeries[], timestampMs: number): VectorSample[] {
  return series.filter(hasSamples).map(({ labels, values, histograms }) => {
    const histogram = histograms?.[0];
    const sample = { labels, timestampMs, value: values[0]! };
    return histogram === undefined ? sample : { ...sample, histogram };
  });
}

/** The value over a grid, made series by series where that can be: it has a value at each step, and few may be there. */
async function matrixOf(
  expr: Expr,
  evaluator: Evaluator,
  grid: StepGrid,
  context: QueryContext,
): Promise<readonly MatrixSeries[]> {
  const matrix = new MatrixCollector(grid, context);
  const before = context.held;
  if (await evaluator.visit(expr, grid, (series) => matrix.add(series))) return matrix.series;
  matrix.clear();
  context.holdOnly(before, 0, 0);
  const columns = await evaluator.evaluate(expr, grid);
  if (columns.type === 'scalar') {
    return [{ labels: Labels.EMPTY, timestamps: gridTimes(grid), values: columns.values }];
  }
  for (const series of finished(columns.series, context)) {
    if (context.spend(grid.count)) await context.pause();
    matrix.add(series, true);
  }
  return matrix.series;
}

function sortedByLabels(series: readonly MatrixSeries[]): MatrixSeries[] {
  const isSorted = series.every(({ labels }, i) => i === 0 || series[i - 1]!.labels.compare(labels) <= 0);
  return isSorted ? [...series] : [...series].sort((a, b) => a.labels.compare(b.labels));
}
