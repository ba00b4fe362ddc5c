import { extname } from 'node:path';
import { type MessagePort, Worker } from 'node:worker_threads';
import { type Answer, ApiError, type ApiRequest, DEFAULT_API_LIMITS } from '../../lib/api/query/index.ts';
import type { Clock, Logger, Timer } from '../../lib/env/index.ts';
import { Annotations, assert } from '../../lib/model/index.ts';
import type { PoolPlace } from '../../lib/promql/index.ts';
import type { Tsdb } from '../../lib/tsdb/index.ts';
import type { HelpRequest } from './assistance.ts';
import type { FromThread, QueryLimits, ThreadData, ToThread } from './messages.ts';
import { Pieces } from './pieces.ts';
import { SharedLoan } from './shared-loan.ts';
import { bytesOf, createSlots } from './slots.ts';

/** Beside this file in the sources, beside the chunk this file is in when bundled. */
const PROGRAM = new URL(`./query-thread${extname(import.meta.url)}`, import.meta.url);
/** What a thread may take beyond its request's time, or after it was canceled, before it is killed. */
const GRACE_MS = 2_000;
/** Of JavaScript objects; a query's own budget is below it, and this is the wall behind it. */
const MAX_OLD_GENERATION_MB = 768;
/**
 * Of objects that are mostly gone when they are looked at next. With 4 MB collecting them was a fifth to a third of the CPU of
 * instant queries over 2,000 series. 8 MB take 10 MB less of the benchmark's RSS, and a quarter more CPU for the rates of 2,000
 * series at one time; 4 MB take no less than 8.
 */
const MAX_YOUNG_GENERATION_MB = 16;
/** Of a thread that was started to help: parts of aggregations take as much CPU with it, and the benchmark some 10 MB less of RSS. */
const HELPER_YOUNG_GENERATION_MB = 8;

export interface ThreadOptions {
  readonly tsdb: () => Tsdb;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: QueryLimits;
}

export interface ThreadEvents {
  /** Nothing runs any more. */
  readonly onEnd: () => void;
  /** It asks for help with its request, which reads what is lent. */
  readonly onHelp: (request: HelpRequest, loan: SharedLoan) => void;
}

/** One thread, and the request it works on. */
export class ThreadHandle {
  readonly #options: ThreadOptions;
  readonly #worker: Worker;
  readonly #slots = createSlots();
  readonly #onHelp: ThreadEvents['onHelp'];
  #receive: ((message: FromThread) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;
  #timer: Timer | undefined;
  isEnded = false;
  wasKilled = false;
  /** Its last request left much behind. */
  isSpent = false;

  /**
   * @param others how many threads there may be beside it
   * @param memory what it takes of the memory for all queries
   * @param role what it is started for; it may answer requests later
   */
  constructor(
    options: ThreadOptions,
    others: number,
    memory: PoolPlace,
    { onEnd, onHelp }: ThreadEvents,
    role?: 'helper',
  ) {
    this.#options = options;
    this.#onHelp = onHelp;
    const data: ThreadData = { limits: options.limits, slots: this.#slots, others, memory };
    this.#worker = new Worker(PROGRAM, {
      name: 'query',
      workerData: data,
      resourceLimits: {
        maxOldGenerationSizeMb: MAX_OLD_GENERATION_MB,
        maxYoungGenerationSizeMb: role === 'helper' ? HELPER_YOUNG_GENERATION_MB : MAX_YOUNG_GENERATION_MB,
      },
    });
    this.#worker.on('message', (message: FromThread) => this.#receive?.(message));
    this.#worker.on('error', (error: NodeJS.ErrnoException) => {
      const outOfMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      if (outOfMemory) this.wasKilled = true;
      this.isEnded = true;
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
    { params, name, signal, queuedMs = 0, countSamples = false }: ApiRequest,
    restMs: number,
    onAnswer: (answer: Answer) => void,
  ): Promise<void> {
    assert(this.#receive === undefined, 'query thread: busy');
    this.#timer?.cancel();
    const loan = new SharedLoan(this.#options.tsdb().lend());
    let release = (): void => {
      release = () => {};
      loan.release();
    };
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const pieces = new Pieces({ onTaken: () => this.#send({ kind: 'more' }), onAllTaken: resolve });
    let hasEnded = false;
    const cancel = (): void => {
      if (hasEnded) {
        resolve();
        return;
      }
      this.#send({ kind: 'cancel' });
      this.#killAfter(GRACE_MS);
    };
    this.#fail = (error) => {
      pieces.fail(error);
      reject(error);
    };
    this.#receive = (message) => {
      assert(message.kind !== 'done', 'query thread: a request without an answer');
      if (message.kind === 'help') {
        this.#onHelp(message.request, loan);
        return;
      }
      const { end } = message;
      hasEnded = end !== undefined;
      if (end !== undefined) this.isSpent = end.isSpent;
      if (message.kind === 'error') {
        this.#fail!(new ApiError(message.errorType, message.message));
        return;
      }
      // What is left to do is to write down what was found.
      release();
      const bytes = message.piece && bytesOf(this.#slots, message.piece);
      if (message.kind === 'answer' && hasEnded) {
        onAnswer(answerOf(message, bytes && [bytes.slice()]));
        resolve();
        return;
      }
      pieces.push(bytes!, hasEnded);
      if (message.kind === 'answer') onAnswer(answerOf(message, pieces));
      // A client that takes no piece of its answer for so long has a thread no more.
      this.#killAfter(DEFAULT_API_LIMITS.stallTimeoutMs);
    };
    this.#killAfter(restMs + GRACE_MS);
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel, { once: true });
    this.#send({ kind: 'run', endpoint, name, params: params.toString(), queuedMs, countSamples, handle: loan.handle });
    return promise.finally(() => {
      signal.removeEventListener('abort', cancel);
      this.#receive = undefined;
      this.#fail = undefined;
      this.#timer?.cancel();
      release();
    });
  }

  /**
   * Helps another thread with its request; what becomes of that, errors too, the port tells it.
   * @returns when it can take the next request, or was ended
   */
  assist({ task }: HelpRequest, port: MessagePort, { handle }: SharedLoan): Promise<void> {
    return this.#untilEnd({ kind: 'assist', task, handle, port }, task.timeoutMs + GRACE_MS, [port]);
  }

  /** Has it give back what its last request left behind. @returns when it did, or was ended */
  clean(): Promise<void> {
    return this.#untilEnd({ kind: 'clean' }, GRACE_MS);
  }

  #untilEnd(message: ToThread, timeoutMs: number, transferred: readonly MessagePort[] = []): Promise<void> {
    assert(this.#receive === undefined, 'query thread: busy');
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#fail = () => resolve();
    this.#receive = ({ end }) => {
      if (end === undefined) return;
      this.isSpent = end.isSpent;
      resolve();
    };
    this.#killAfter(timeoutMs);
    this.#worker.postMessage(message, transferred);
    return promise.finally(() => {
      this.#receive = undefined;
      this.#fail = undefined;
      this.#timer?.cancel();
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

function answerOf(
  { data, warnings, infos, stats, loadedSamples }: FromThread & { kind: 'answer' },
  pieces: Answer['pieces'],
): Answer {
  const annotations = new Annotations();
  for (const warning of warnings) annotations.warn(warning);
  for (const info of infos) annotations.info(info);
  const about = { annotations, loadedSamples, ...(stats && { stats }) };
  return pieces === undefined ? { data, ...about } : { pieces, ...about };
}
