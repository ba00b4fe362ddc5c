import { type Answer, ApiError, type ApiRequest, QueryGate, queryTimeoutMs } from '../../lib/api/query/index.ts';
import { DEFAULT_MAX_TOTAL_QUERY_MEMORY_BYTES, MemoryPool } from '../../lib/promql/index.ts';
import type { HelpRequest } from './assistance.ts';
import type { QueryLimits } from './messages.ts';
import { apiLimits } from './query-limits.ts';
import type { SharedLoan } from './shared-loan.ts';
import { ThreadHandle, type ThreadOptions } from './thread-handle.ts';

/** A thread that nobody needs for so long is ended: it holds 20 MB when it is new, 45 after large requests. */
const IDLE_MS = 60_000;
/** How long a request waits for a thread that helps another: starting one more takes as long. */
const HELPER_WAIT_MS = 40;

/** For those at work, those that help, and those that come to an end. */
const PLACES_PER_THREAD = 8;

export interface QueryThreadsOptions extends ThreadOptions {
  /** At a time. */
  readonly threads: number;
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
  /** Requests that wait for a thread. */
  readonly #waiting: ((thread: ThreadHandle) => void)[] = [];
  /** Threads at a time, but for those that requests need while others help. */
  readonly #limit: number;
  readonly #memory: MemoryPool;
  /** Threads that were killed. */
  killed = 0;
  /** Times that a thread helped another. */
  helped = 0;
  #isClosed = false;

  constructor(options: QueryThreadsOptions) {
    this.#options = options;
    this.#limit = options.threads;
    const maxBytes = options.limits.queryMaxTotalBytes ?? DEFAULT_MAX_TOTAL_QUERY_MEMORY_BYTES;
    this.#memory = new MemoryPool(maxBytes, PLACES_PER_THREAD * this.#limit);
    this.#gate = new QueryGate(this.#limit, options.clock);
  }

  /** Memory that queries have taken, as the engine estimates it. */
  get takenBytes(): number {
    return this.#memory.takenBytes;
  }

  /** How many may work at a time. */
  get size(): number {
    return this.#limit;
  }

  /** Ends all threads; requests under way fail. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(Array.from(this.#all, (thread) => thread.end()));
  }

  /** @param endpoint of the API, by its path below `/api/v1` */
  async answer(endpoint: string, request: ApiRequest): Promise<Answer> {
    const { params, signal } = request;
    const { limits } = this.#options;
    const timeoutMs = timeoutOf(params, limits);
    const taken = Promise.withResolvers<Answer>();
    const askedAtMs = this.#options.clock.monotonicMs();
    // The place is kept until the last piece is taken, the caller goes on with the first.
    const done = this.#gate.run(timeoutMs ?? limits.queryTimeoutMs, signal, async (restMs) => {
      const rest = new URLSearchParams(params);
      if (timeoutMs !== undefined) rest.set('timeout', `${Math.ceil(restMs)}ms`);
      const thread = await this.#free();
      try {
        await thread.run(
          endpoint,
          { ...request, params: rest, queuedMs: this.#options.clock.monotonicMs() - askedAtMs },
          restMs,
          taken.resolve,
        );
      } finally {
        await this.#rest(thread);
      }
    });
    done.catch(taken.reject);
    return taken.promise;
  }

  /** A thread that has nothing to do. There may be one more than there are cores, while others help for long. */
  #free(): Promise<ThreadHandle> | ThreadHandle {
    const idle = this.#takeIdle('newest');
    if (idle !== undefined) return idle;
    if (this.#all.size < this.#limit) return this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<ThreadHandle>();
    const timer = this.#options.clock.setTimer(() => {
      this.#waiting.splice(this.#waiting.indexOf(found), 1);
      if (this.#isClosed) reject(new ApiError('unavailable', 'the server is stopping'));
      else resolve(this.#start());
    }, HELPER_WAIT_MS);
    const found = (thread: ThreadHandle): void => {
      timer.cancel();
      resolve(thread);
    };
    this.#waiting.push(found);
    return promise;
  }

  /** One whose end has begun stays among them until it is gone: what it were given would fail. */
  #takeIdle(which: 'newest' | 'oldest'): ThreadHandle | undefined {
    for (;;) {
      const thread = which === 'newest' ? this.#idle.pop() : this.#idle.shift();
      if (thread?.isEnded !== true) return thread;
    }
  }

  #start(role?: 'helper'): ThreadHandle {
    const place = this.#memory.open();
    const onEnd = (): void => {
      this.#memory.close(place);
      this.#all.delete(thread);
      const at = this.#idle.indexOf(thread);
      if (at >= 0) this.#idle.splice(at, 1);
      if (thread.wasKilled) this.killed++;
    };
    const onHelp = (request: HelpRequest, loan: SharedLoan): void => this.#help(request, loan);
    const thread = new ThreadHandle(this.#options, this.#limit - 1, place, { onEnd, onHelp }, role);
    this.#all.add(thread);
    return thread;
  }

  /** Hands ports on to threads that have nothing to do; nobody is waited for. */
  #help(request: HelpRequest, loan: SharedLoan): void {
    for (const port of request.ports) {
      const mayStart = request.mayStart && this.#all.size < this.#limit;
      const thread = this.#takeIdle('oldest') ?? (mayStart ? this.#start('helper') : undefined);
      if (thread === undefined || !loan.retain()) {
        if (thread !== undefined) void this.#rest(thread, 'helper');
        port.close();
        continue;
      }
      this.helped++;
      void thread.assist(request, port, loan).finally(() => {
        loan.release();
        void this.#rest(thread, 'helper');
      });
    }
  }

  /** When it can take the next request, cleaned up, or was ended. Who helped helps again: it needs less memory than who is asked. */
  async #rest(thread: ThreadHandle, role?: 'helper'): Promise<void> {
    if (thread.isSpent && !thread.isEnded) await thread.clean();
    if (thread.isSpent || this.#all.size > this.#limit) await thread.end();
    if (thread.isEnded) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting(thread);
      return;
    }
    if (role === 'helper') this.#idle.unshift(thread);
    else this.#idle.push(thread);
    thread.rest(IDLE_MS);
  }
}

/** Undefined for what is refused: the thread says so, when it comes to it among the other parameters. */
function timeoutOf(params: URLSearchParams, limits: QueryLimits): number | undefined {
  try {
    return queryTimeoutMs(params, apiLimits(limits));
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}
