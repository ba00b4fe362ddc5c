import { availableParallelism } from 'node:os';
import {
  type Answer,
  ApiError,
  type ApiRequest,
  DEFAULT_API_LIMITS,
  QueryGate,
  queryTimeoutMs,
} from '../../lib/api/query/index.ts';
import { ThreadHandle, type ThreadOptions } from './thread-handle.ts';

/** A thread that nobody needs for so long is ended: it holds some 15 MB. */
const IDLE_MS = 60_000;

export interface QueryThreadsOptions extends ThreadOptions {
  /** Default: one for each core. */
  readonly threads?: number;
}

/**
 * Threads that answer requests, so that no query delays a scrape. They are started when they are needed, work on one request
 * at a time and end when nobody needs them. One that takes too much memory or does not stop when told to is killed; only its
 * own request fails.
 */
export class QueryThreads {
  readonly #options: QueryThreadsOptions;
  readonly #gate: QueryGate;
  readonly #idle: ThreadHandle[] = [];
  readonly #all = new Set<ThreadHandle>();
  /** Threads that were killed. */
  killed = 0;

  constructor(options: QueryThreadsOptions) {
    this.#options = options;
    this.#gate = new QueryGate(options.threads ?? availableParallelism(), options.clock);
  }

  /** Ends all threads; requests under way fail. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#all, (thread) => thread.end()));
  }

  /** @param endpoint of the API, by its path below `/api/v1` */
  async answer(endpoint: string, request: ApiRequest): Promise<Answer> {
    const { params, signal } = request;
    const { limits } = this.#options;
    const timeoutMs = timeoutOf(params, limits.queryTimeoutMs);
    const taken = Promise.withResolvers<Answer>();
    // The place is kept until the last piece is taken, the caller goes on with the first.
    const done = this.#gate.run(timeoutMs ?? limits.queryTimeoutMs, signal, async (restMs) => {
      const rest = new URLSearchParams(params);
      if (timeoutMs !== undefined) rest.set('timeout', `${Math.ceil(restMs)}ms`);
      const thread = this.#idle.pop() ?? this.#start();
      try {
        await thread.run(endpoint, { ...request, params: rest }, restMs, taken.resolve);
      } finally {
        if (thread.isSpent) void thread.end();
        if (!thread.isEnded) this.#rest(thread);
      }
    });
    done.catch(taken.reject);
    return taken.promise;
  }

  #start(): ThreadHandle {
    const thread = new ThreadHandle(this.#options, () => {
      this.#all.delete(thread);
      const at = this.#idle.indexOf(thread);
      if (at >= 0) this.#idle.splice(at, 1);
      if (thread.wasKilled) this.killed++;
    });
    this.#all.add(thread);
    return thread;
  }

  #rest(thread: ThreadHandle): void {
    this.#idle.push(thread);
    thread.rest(IDLE_MS);
  }
}

/** Undefined for what is refused: the thread says so, when it comes to it among the other parameters. */
function timeoutOf(params: URLSearchParams, queryTimeoutLimitMs: number): number | undefined {
  try {
    return queryTimeoutMs(params, { ...DEFAULT_API_LIMITS, queryTimeoutMs: queryTimeoutLimitMs });
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}
