import type { Clock, Logger } from '../env/index.ts';
import type { Annotations, Labels } from '../model/index.ts';
import type { Engine } from '../promql/index.ts';
import type { Queryable } from '../storage/index.ts';
import type { ApiLimits } from './limits.ts';

/** What a request says about the view it wants. */
export interface QueryableRequest {
  /** `partial_response`: false asks for an error where data is missing. Undefined when the client does not say. */
  readonly partialResponse: boolean | undefined;
  /** All parameters, query string and form. */
  readonly params: URLSearchParams;
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

/** What a program gives the API. What it leaves out is answered with `not_found`. */
export interface ApiDeps {
  readonly queryable: (request: QueryableRequest) => Queryable;
  readonly engine: Pick<Engine, 'instant' | 'range'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** False while starting and stopping: the API then answers 503. */
  readonly ready: () => boolean;
  readonly build: BuildInfo;
  /** Flag → value, as given. */
  readonly flags: Readonly<Record<string, string>>;
  readonly targets?: (request: QueryableRequest) => Promise<TargetsSnapshot> | TargetsSnapshot;
  /** The configuration in force as YAML, secrets hidden. */
  readonly config?: () => Promise<string> | string;
  /** Applies the configuration anew; rejects when it cannot be, the old one then stays in force. */
  readonly reload?: () => Promise<void>;
  /** `--web.enable-lifecycle`: without it `/-/reload` is forbidden. */
  readonly lifecycle: boolean;
  readonly runtime?: () => RuntimeStatus;
  /** @param limit entries per list */
  readonly tsdbStatus?: (limit: number) => Promise<TsdbStatus> | TsdbStatus;
  /** Own metrics in the text format. */
  readonly metricsText?: () => Promise<string> | string;
  /** `--web.cors.origin`: an anchored regex of allowed origins. Default `.*`. */
  readonly corsOrigin?: string;
  readonly limits?: Partial<ApiLimits>;
}
