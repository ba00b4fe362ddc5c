import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import {
  type Answer,
  ApiError,
  type ApiRequest,
  DEFAULT_API_LIMITS,
  type Endpoint,
  type Piece,
  QueryGate,
  queryTimeoutMs,
} from '../../lib/api/index.ts';
import type { Clock, Logger, Timer } from '../../lib/env/index.ts';
import { Annotations, assert } from '../../lib/model/index.ts';
import type { Tsdb } from '../../lib/tsdb/index.ts';
import type { FromThread, ThreadData, ToThread } from './messages.ts';

/** Beside this file in the sources, beside the chunk this file is in when bundled. */
const PROGRAM = new URL(`./query-thread${extname(import.meta.url)}`, import.meta.url);
/** The endpoints that threads answer. */
const ENDPOINTS = ['query', 'query_range', 'series', 'labels', 'label/:name/values'];
/** A thread that nobody needs for so long is ended: it holds some 15 MB. */
const IDLE_MS = 60_000;
/** What a thread may take beyond its request's time, or after it was canceled, before it is killed. */
const GRACE_MS = 2_000;
/** A client that takes no piece of its answer for so long has a thread no more. */
const STALL_MS = 30_000;
/** Of JavaScript objects; a query's own budget is below it, and this is the wall behind it. */
const MAX_OLD_GENERATION_MB = 768;
/** Of objects that are mostly gone when they are looked at next: with more it is but later that they are. */
const MAX_YOUNG_GENERATION_MB = 8;

export interface QueryThreadsOptions {
  readonly tsdb: () => Tsdb;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: ThreadData['limits'];
  /** Default: one for each core. */
  readonly threads?: number;
}

/**
 * Answers the endpoints that read storage on threads of their own, so that no query delays a scrape. Threads are started
 * when they are needed, work on one request at a time and end when nobody needs them. One that takes too much memory or does
 * not stop when told to is killed; only its own request fails.
 */
export class QueryThreads {
  readonly #options: QueryThreadsOptions;
  readonly #gate: QueryGate;
  readonly #idle: QueryThread[] = [];
  readonly #all = new Set<QueryThread>();
  /** Threads that were killed. */
  killed = 0;

  constructor(options: QueryThreadsOptions) {
    this.#options = options;
    this.#gate = new QueryGate(options.threads ?? availableParallelism(), options.clock);
  }

  /** By path, for `createApi`. */
  endpoints(): Readonly<Record<string, Endpoint>> {
    return Object.fromEntries(ENDPOINTS.map((path) => [path, (request: ApiRequest) => this.#answer(path, request)]));
  }

  /** Ends all threads; requests under way fail. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#all, (thread) => thread.end()));
  }

  async #answer(endpoint: string, request: ApiRequest): Promise<Answer> {
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

  #start(): QueryThread {
    const thread = new QueryThread(this.#options, () => {
      this.#all.delete(thread);
      const at = this.#idle.indexOf(thread);
      if (at >= 0) this.#idle.splice(at, 1);
      if (thread.wasKilled) this.killed++;
    });
    this.#all.add(thread);
    return thread;
  }

  #rest(thread: QueryThread): void {
    this.#idle.push(thread);
    thread.rest(IDLE_MS);
  }
}

/** One thread, and the request it works on. */
class QueryThread {
  readonly #options: QueryThreadsOptions;
  readonly #worker: Worker;
  #receive: ((message: FromThread) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;
  #timer: Timer | undefined;
  isEnded = false;
  wasKilled = false;
  /** Its last request left much behind. */
  isSpent = false;

  constructor(options: QueryThreadsOptions, onEnd: () => void) {
    this.#options = options;
    const data: ThreadData = { limits: options.limits };
    this.#worker = new Worker(PROGRAM, {
      name: 'query',
      workerData: data,
      resourceLimits: {
        maxOldGenerationSizeMb: MAX_OLD_GENERATION_MB,
        maxYoungGenerationSizeMb: MAX_YOUNG_GENERATION_MB,
      },
    });
    this.#worker.on('message', (message: FromThread) => this.#receive?.(message));
    this.#worker.on('error', (error: NodeJS.ErrnoException) => {
      const outOfMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      if (outOfMemory) this.wasKilled = true;
      options.logger.error({ error: error.message }, 'a query thread ended');
      this.#fail?.(
        outOfMemory
          ? new ApiError('execution', `the query takes more than ${MAX_OLD_GENERATION_MB} MB of memory`)
          : error,
      );
    });
    this.#worker.on('exit', () => {
      this.isEnded = true;
      this.#timer?.cancel();
      onEnd();
      this.#fail?.(new ApiError('unavailable', 'the query thread was ended'));
    });
    // A server that is otherwise done does not wait for it.
    this.#worker.unref();
  }

  /**
   * @param restMs what the request may take
   * @param onAnswer gets the answer with its first piece
   * @returns when the last piece was taken and the thread can take the next request
   * @throws ApiError
   */
  run(
    endpoint: string,
    { params, name, signal }: ApiRequest,
    restMs: number,
    onAnswer: (answer: Answer) => void,
  ): Promise<void> {
    assert(this.#receive === undefined, 'query thread: busy');
    this.#timer?.cancel();
    const loan = this.#options.tsdb().lend();
    let release = (): void => {
      release = () => {};
      loan.release();
    };
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const pieces = new Pieces(() => this.#send({ kind: 'more' }));
    const cancel = (): void => {
      this.#send({ kind: 'cancel' });
      this.#killAfter(GRACE_MS);
    };
    this.#fail = (error) => {
      pieces.fail(error);
      reject(error);
    };
    let error: ApiError | undefined;
    this.#receive = (message) => {
      if (message.kind === 'rest') {
        this.isSpent = message.isSpent;
        if (error === undefined) resolve();
        else this.#fail!(error);
        return;
      }
      if (message.kind === 'error') {
        error = new ApiError(message.errorType, message.message);
        return;
      }
      // What is left to do is to write down what was found.
      release();
      if (message.kind === 'answer') {
        if (message.piece !== undefined) pieces.push(message.piece, message.last);
        onAnswer(answerOf(message, pieces));
      } else {
        pieces.push(message.piece, message.last);
      }
      this.#killAfter(STALL_MS);
    };
    this.#killAfter(restMs + GRACE_MS);
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel, { once: true });
    this.#send({ kind: 'run', endpoint, name, params: params.toString(), handle: loan.handle });
    return promise.finally(() => {
      signal.removeEventListener('abort', cancel);
      this.#receive = undefined;
      this.#fail = undefined;
      this.#timer?.cancel();
      release();
    });
  }

  /** Ends the thread when it gets no request for so long. */
  rest(idleMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(() => void this.end(), idleMs);
  }

  async end(): Promise<void> {
    this.isEnded = true;
    await this.#worker.terminate();
  }

  #killAfter(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(() => {
      this.wasKilled = true;
      this.#fail?.(new ApiError('timeout', 'the query did not stop in time and was killed'));
      void this.end();
    }, delayMs);
  }

  #send(message: ToThread): void {
    this.#worker.postMessage(message);
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

function answerOf(message: FromThread & { kind: 'answer' }, pieces: Pieces): Answer {
  const annotations = new Annotations();
  for (const warning of message.warnings) annotations.warn(warning);
  for (const info of message.infos) annotations.info(info);
  const { data } = message;
  if (message.piece === undefined) return { data, annotations };
  return { annotations, pieces: message.last ? [message.piece] : pieces };
}

/** The pieces of one answer as they come; each is asked for when the one before is taken. */
class Pieces implements AsyncIterable<Piece> {
  readonly #more: () => void;
  readonly #waiting: Piece[] = [];
  #last = false;
  #error: Error | undefined;
  #arrived: (() => void) | undefined;

  constructor(more: () => void) {
    this.#more = more;
  }

  push(piece: Piece, last: boolean): void {
    this.#waiting.push(piece);
    this.#last = last;
    this.#arrived?.();
  }

  fail(error: Error): void {
    this.#error = error;
    this.#arrived?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Piece> {
    for (;;) {
      const piece = this.#waiting.shift();
      if (piece !== undefined) {
        const isLast = this.#last && this.#waiting.length === 0;
        if (!isLast) this.#more();
        yield piece;
        if (isLast) return;
      } else if (this.#error !== undefined) {
        throw this.#error;
      } else {
        await new Promise<void>((resolve) => (this.#arrived = resolve));
      }
    }
  }
}
