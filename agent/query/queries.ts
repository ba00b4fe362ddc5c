import type { ApiRequest, Endpoint } from '../../lib/api/query/index.ts';
import type { Logger } from '../../lib/env/index.ts';
import { errorMessage } from '../../lib/model/index.ts';
import { Attempts } from './attempts.ts';
import { QueryThreads, type QueryThreadsOptions } from './query-threads.ts';

/** The endpoints that read storage. */
const ENDPOINTS = ['query', 'query_range', 'series', 'labels', 'label/:name/values'];

export interface QueriesOptions extends QueryThreadsOptions {
  /** Whether small requests are answered without a thread. Default true. */
  readonly attempts?: boolean;
}

/** Answers the endpoints that read storage: small requests at once, all others on threads of their own. */
export class Queries {
  readonly threads: QueryThreads;
  readonly attempts: Attempts | undefined;
  readonly #logger: Logger;

  constructor(options: QueriesOptions) {
    const { tsdb, clock, limits, logger, attempts = true } = options;
    this.#logger = logger;
    this.threads = new QueryThreads(options);
    this.attempts = attempts ? new Attempts({ queryable: tsdb, clock, limits }) : undefined;
  }

  /** By path, for `createApi`. */
  endpoints(): Readonly<Record<string, Endpoint>> {
    const answer =
      (path: string): Endpoint =>
      async (request: ApiRequest) =>
        (await this.attempts?.answer(path, request)) ?? this.threads.answer(path, request);
    return {
      ...Object.fromEntries(ENDPOINTS.map((path) => [path, answer(path)])),
      // Asked for by servers, for many series: never small.
      federate: (request) => this.threads.answer('federate', request),
    };
  }

  /** Makes ready for small requests; best before anything is scraped. What fails is for those who ask to see. */
  async warm(): Promise<void> {
    try {
      await this.attempts?.warm();
    } catch (error) {
      this.#logger.warn({ error: errorMessage(error) }, 'the first query failed');
    }
  }

  /** Ends all threads; requests under way on them fail. */
  close(): Promise<void> {
    return this.threads.close();
  }
}
