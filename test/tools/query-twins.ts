/** The same queries on the same blocks, answered by Prometheus and by our engine and API. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toApiError } from '../../lib/api/index.ts';
import { queryData } from '../../lib/api/json.ts';
import { type QueryStats, queryStats } from '../../lib/api/query-stats.ts';
import { createLogger, nodeFileSystem, seededRandom, systemClock } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { Engine, type PromqlFeatures } from '../../lib/promql/index.ts';
import { BlockBuilder, openReadOnly, type ReadOnlyTsdb } from '../../lib/tsdb/index.ts';
import { appendCommit } from './demo-commits.ts';
import { pieceText } from './piece-text.ts';
import { PATIENCE_MS } from './prometheus-api.ts';
import { PrometheusDriver } from './prometheus-driver.ts';
import type { WrittenSeries } from './remote-write.ts';

/** What both are asked. Times in ms. */
export interface AskedQuery {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0: an instant query, at `startMs`. */
  readonly stepMs: number;
}

/** `[boundaries, lower, upper, count]` */
export type ReplyBucket = readonly [number, string, string, string];

export interface ReplyHistogram {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly ReplyBucket[];
}

export interface ReplySeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly histogram?: readonly [number, ReplyHistogram];
  readonly values?: readonly (readonly [number, string])[];
  readonly histograms?: readonly (readonly [number, ReplyHistogram])[];
}

/** As the API answers. */
export interface Reply {
  readonly status: 'success' | 'error';
  readonly data?:
    | { readonly resultType: 'scalar' | 'string'; readonly result: readonly [number, string] }
    | { readonly resultType: 'vector' | 'matrix'; readonly result: readonly ReplySeries[] };
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

/** What a query looked at; what was held at a time is left out, it is another number in every engine. */
export type ReplySamples = Omit<NonNullable<QueryStats['samples']>, 'peakSamples'>;

/** Prometheus's flags for what of the language is experimental. */
const FLAGS: Readonly<Record<keyof PromqlFeatures, string>> = {
  experimentalFunctions: 'promql-experimental-functions',
  durationExpressions: 'promql-duration-expr',
  extendedRangeSelectors: 'promql-extended-range-selectors',
  fillModifiers: 'promql-binop-fill-modifiers',
  delayedNameRemoval: 'promql-delayed-name-removal',
  startTimes: 'use-start-timestamps',
};

export interface TwinsOptions {
  /** Path of Prometheus, from `needPeer`. */
  readonly program: string;
  readonly commits: Iterable<readonly WrittenSeries[]>;
  readonly features: PromqlFeatures;
}

export class QueryTwins {
  readonly #dir: string;
  readonly #driver: PrometheusDriver;
  readonly #database: ReadOnlyTsdb;
  readonly #engine: Engine;

  private constructor(dir: string, driver: PrometheusDriver, database: ReadOnlyTsdb, features: PromqlFeatures) {
    this.#dir = dir;
    this.#driver = driver;
    this.#database = database;
    this.#engine = new Engine({ features });
  }

  /** Writes all commits into one block and opens it twice. */
  static async start({ program, commits, features }: TwinsOptions): Promise<QueryTwins> {
    const dir = mkdtempSync(join(tmpdir(), 'promlet-twins-'));
    const common = { dir, fileSystem: nodeFileSystem, clock: systemClock, logger: createLogger('silent') };
    const builder = new BlockBuilder({
      ...common,
      random: seededRandom(1),
      kernels: createKernels(),
      headDurationMs: 7_200_000,
    });
    for (const commit of commits) {
      const refused = await appendCommit(builder, commit);
      if (refused > 0) throw new Error(`query twins: ${refused} samples were refused`);
    }
    await builder.flush();
    const flags = Object.entries(FLAGS).flatMap(([name, flag]) =>
      features[name as keyof PromqlFeatures] ? [flag] : [],
    );
    flags.push('promql-per-step-stats');
    const driver = await PrometheusDriver.start({ program, version: 3, dataDir: dir, features: flags });
    const database = await openReadOnly({ ...common, kernels: createKernels() }, -Infinity);
    return new QueryTwins(dir, driver, database, features);
  }

  async ours({ query, startMs, endMs, stepMs }: AskedQuery): Promise<Reply> {
    const { signal } = new AbortController();
    try {
      const { value, annotations } =
        stepMs === 0
          ? await this.#engine.instant(this.#database, query, startMs, { signal })
          : await this.#engine.range(this.#database, query, startMs, endMs, stepMs, { signal });
      const data = JSON.parse(pieceText(queryData(value))) as NonNullable<Reply['data']>;
      return { status: 'success', data, warnings: annotations.warnings, infos: annotations.infos };
    } catch (error) {
      const { errorType, message } = toApiError(error, signal);
      if (errorType === 'internal') throw error;
      return { status: 'error', errorType, error: message };
    }
  }

  async theirs(asked: AskedQuery): Promise<Reply> {
    return this.#askTheirs<Reply>(asked, {});
  }

  /** What ours looked at; undefined when the answer is an error. */
  async ourSamples({ query, startMs, endMs, stepMs }: AskedQuery): Promise<ReplySamples | undefined> {
    const options = { countSamples: true };
    try {
      const { samples } =
        stepMs === 0
          ? await this.#engine.instant(this.#database, query, startMs, options)
          : await this.#engine.range(this.#database, query, startMs, endMs, stepMs, options);
      return withoutPeak(queryStats({ evaluatedMs: 0, queuedMs: 0 }, samples, { startMs, stepMs }));
    } catch (error) {
      if (toApiError(error, new AbortController().signal).errorType === 'internal') throw error;
      return undefined;
    }
  }

  async theirSamples(asked: AskedQuery): Promise<ReplySamples | undefined> {
    const { data } = await this.#askTheirs<{ data?: { stats: QueryStats } }>(asked, { stats: 'all' });
    return data && withoutPeak(data.stats);
  }

  async #askTheirs<T>({ query, startMs, endMs, stepMs }: AskedQuery, more: Record<string, string>): Promise<T> {
    const times =
      stepMs === 0
        ? { time: String(startMs / 1000) }
        : { start: String(startMs / 1000), end: String(endMs / 1000), step: String(stepMs / 1000) };
    const response = await fetch(`${this.#driver.url}/api/v1/${stepMs === 0 ? 'query' : 'query_range'}`, {
      method: 'POST',
      body: new URLSearchParams({ query, ...times, ...more }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return (await response.json()) as T;
  }

  async stop(): Promise<void> {
    this.#database.close();
    await this.#driver.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

function withoutPeak({ samples }: QueryStats): ReplySamples {
  const { peakSamples: _, ...rest } = samples!;
  return rest;
}
