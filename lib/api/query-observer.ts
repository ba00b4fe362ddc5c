import type { QueryStats } from './query-stats.ts';
import type { QueryTask } from './query-task.ts';

/** Who asked, as Prometheus's query log tells it. */
export interface QueryOrigin {
  /** Without the port. */
  readonly clientIP: string;
  readonly method: string;
  readonly path: string;
}

/** A query that was evaluated, or at least begun to be. */
export interface EndedQuery {
  readonly task: Pick<QueryTask, 'query' | 'startMs' | 'endMs' | 'stepMs'>;
  readonly stats: QueryStats;
  /** Samples that were read from storage, as far as they are known. */
  readonly loadedSamples: number;
  /** Why it failed. */
  readonly error?: string;
  readonly origin: QueryOrigin | undefined;
}

/** Is told of every query: for logs and metrics. */
export interface QueryObserver {
  /** Whether it wants to know what queries look at, which takes some time. */
  readonly countsSamples: boolean;
  /** A query was asked for; `onEnd` follows. */
  onBegin(): void;
  /** @param query undefined when it was not to be understood */
  onEnd(query: EndedQuery | undefined): void;
}
