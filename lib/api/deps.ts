import type { Middleware } from 'koa';
import type { RelabelConfig } from '../config/index.ts';
import type { Clock, Logger } from '../env/index.ts';
import type { Annotations, Labels, Matcher } from '../model/index.ts';
import type { Engine, MemoryBudget, PromqlFeatures } from '../promql/index.ts';
import type { Metadata, Queryable, SeriesExemplars, Spend } from '../storage/index.ts';
import type { ApiLimits } from './limits.ts';
import type { RequestMemory } from './request-memory.ts';
import type { QueryObserver, QueryOrigin } from './query-observer.ts';
import type { QueryTask } from './query-task.ts';
import type { Answer } from './respond.ts';

/** What a request says about the view it wants. */
export interface QueryableRequest {
  /** `partial_response`: false asks for an error where data is missing. Undefined when the client does not say. */
  readonly partialResponse: boolean | undefined;
  /** All parameters, query string and form. */
  readonly params: URLSearchParams;
  /** Of the request, for what storage fetches from elsewhere. */
  readonly budget?: MemoryBudget | undefined;
}

export interface BuildInfo {
  readonly version: string;
  readonly revision: string;
  readonly branch: string;
  readonly buildUser: string;
  readonly buildDate: string;
  /** What runs the program; the field of Prometheus's answer has this name. */
  readonly goVersion: string;
}

export interface ActiveTarget {
  /** Before and after relabelling. */
  readonly discoveredLabels: Labels;
  readonly labels: Labels;
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  /** Reachable from elsewhere; the scrape URL when left out. */
  readonly globalUrl?: string;
  /** '' after a good scrape. */
  readonly lastError: string;
  /** Undefined before the first. */
  readonly lastScrapeMs: number | undefined;
  readonly lastScrapeDurationMs: number;
  readonly health: 'up' | 'down' | 'unknown';
  readonly scrapeIntervalMs: number;
  readonly scrapeTimeoutMs: number;
}

export interface DroppedTarget {
  readonly discoveredLabels: Labels;
  readonly scrapePool: string;
}

export interface TargetsSnapshot {
  readonly active: readonly ActiveTarget[];
  readonly dropped: readonly DroppedTarget[];
  /** Pool → how many were dropped, those no longer kept included. */
  readonly droppedCounts: Readonly<Record<string, number>>;
  /** Names what is missing from the snapshot. */
  readonly annotations?: Annotations;
}

/** What the metrics of a target say of themselves. */
export interface TargetMetadata {
  /** Of the target. */
  readonly labels: Labels;
  readonly metrics: readonly (Metadata & { readonly name: string })[];
}

/** Something found, and what is missing from it. */
export type Found<T> = T & { readonly annotations?: Annotations };

/** What the admin endpoints change. Times in ms, both inclusive. */
export interface AdminStorage {
  deleteSeries(minMs: number, maxMs: number, matchers: readonly Matcher[]): Promise<void>;
  cleanTombstones(): Promise<void>;
  /** @returns the name of the new directory below `snapshots/` of the data directory */
  snapshot(withHead: boolean): Promise<string>;
}

/** Indexes of log segments. */
export interface WalReplayStatus {
  readonly min: number;
  readonly max: number;
  readonly current: number;
}

export interface RuntimeStatus {
  readonly startTimeMs: number;
  readonly reloadConfigSuccess: boolean;
  readonly lastConfigTimeMs: number;
  readonly corruptionCount: number;
  /** `15d` */
  readonly storageRetention: string;
}

export interface NamedCount {
  readonly name: string;
  readonly value: number;
}

/** Prometheus's `TSDBStatus`; times in ms. */
export interface TsdbStatus {
  readonly headStats: {
    readonly numSeries: number;
    readonly numLabelPairs: number;
    readonly chunkCount: number;
    readonly minTime: number;
    readonly maxTime: number;
  };
  readonly seriesCountByMetricName: readonly NamedCount[];
  readonly labelValueCountByLabelName: readonly NamedCount[];
  readonly memoryInBytesByLabelName: readonly NamedCount[];
  readonly seriesCountByLabelValuePair: readonly NamedCount[];
}

/** What the endpoints that read storage need. */
export interface QueryDeps {
  readonly queryable: (request: QueryableRequest) => Queryable;
  readonly engine: Pick<Engine, 'instant' | 'range'>;
  readonly clock: Clock;
  readonly promqlFeatures?: PromqlFeatures;
  /** `promql-per-step-stats`: what a query looked at is told by step to clients that ask for all statistics. */
  readonly perStepStats?: boolean;
}

/** One request, as endpoints see it. */
export interface ApiRequest {
  readonly params: URLSearchParams;
  /** What the parameters of a query ask for, where somebody has read them before. */
  readonly task?: QueryTask;
  /** `:name` of the path, '' where there is none. */
  readonly name: string;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** Is told of the work of reading and evaluating; what it throws ends the request. */
  readonly spend?: Spend;
  /** What it may take until its answer is sent. Without one a query has the engine's own. */
  readonly budget?: MemoryBudget;
  readonly origin?: QueryOrigin;
  /** How long it has waited already, elsewhere; ms. */
  readonly queuedMs?: number;
  /** Whether samples are counted though the client does not ask for it. */
  readonly countSamples?: boolean;
}

/** Throws an ApiError, or any PromletError, which `toApiError` says in the API's terms. */
export type Endpoint = (request: ApiRequest) => Promise<Answer>;

/** What a program gives the API. What it leaves out is answered with `not_found`. */
export interface ApiDeps extends QueryDeps {
  readonly log: Logger;
  /** Endpoints by path that answer in place of those that work here, such as on other threads. */
  readonly endpoints?: Readonly<Record<string, Endpoint>>;
  /** For requests that are answered here. */
  readonly memory?: RequestMemory;
  /** False while starting and stopping: the API then answers 503. */
  readonly ready: () => boolean;
  readonly build: BuildInfo;
  /** Flag → value, as given. */
  readonly flags: Readonly<Record<string, string>>;
  readonly targets?: (request: QueryableRequest) => Promise<TargetsSnapshot> | TargetsSnapshot;
  readonly scrapePools?: (
    request: QueryableRequest,
  ) => Promise<Found<{ names: readonly string[] }>> | Found<{ names: readonly string[] }>;
  /** Of one pool; undefined when there is none of the name. */
  readonly relabelRules?: (scrapePool: string) => readonly RelabelConfig[] | undefined;
  readonly targetMetadata?: (
    request: QueryableRequest,
  ) => Promise<Found<{ targets: readonly TargetMetadata[] }>> | Found<{ targets: readonly TargetMetadata[] }>;
  /** Of the series that one of the matcher sets selects. */
  readonly exemplars?: (
    request: QueryableRequest,
    minMs: number,
    maxMs: number,
    matcherSets: readonly (readonly Matcher[])[],
    signal: AbortSignal,
  ) => Promise<Found<{ series: readonly SeriesExemplars[] }>> | Found<{ series: readonly SeriesExemplars[] }>;
  /** The configuration in force as YAML, secrets hidden. */
  readonly config?: () => Promise<string> | string;
  /** Applies the configuration anew; rejects when it cannot be, the old one then stays in force. */
  readonly reload?: () => Promise<void>;
  /** Ends the program, some time after it returns. */
  readonly quit?: (() => void) | undefined;
  /** `--web.enable-lifecycle`: without it `/-/reload` and `/-/quit` are forbidden. */
  readonly lifecycle: boolean;
  /** `--web.enable-admin-api`: without it the endpoints below `admin/` are refused. */
  readonly enableAdmin?: boolean;
  readonly admin?: AdminStorage;
  readonly runtime?: () => RuntimeStatus;
  /** @param limit entries per list */
  readonly tsdbStatus?: (limit: number) => Promise<TsdbStatus> | TsdbStatus;
  /** Their meta.json, as objects. */
  readonly blocks?: () => readonly object[];
  /** Asked for before the program is ready, too. */
  readonly walReplay?: () => WalReplayStatus;
  /** What answers remote read and write, each where it is meant; asked for at each request, while ready. */
  readonly remote?: () => readonly Middleware[];
  /** Group → feature → whether it is on, besides those of the API and of PromQL. */
  readonly features?: Readonly<Record<string, Readonly<Record<string, boolean>>>>;
  /** Is told of every query. */
  readonly queryObserver?: QueryObserver;
  /** Added to what `/federate` tells. */
  readonly externalLabels?: () => Labels;
  /** How far back `/federate` looks for samples. Default 5 min. */
  readonly lookbackDeltaMs?: number;
  /** Own metrics in the text format. */
  readonly metricsText?: () => Promise<string> | string;
  /** `--web.cors.origin`: an anchored regex of allowed origins. Default `.*`. */
  readonly corsOrigin?: string;
  readonly limits?: Partial<ApiLimits>;
}
