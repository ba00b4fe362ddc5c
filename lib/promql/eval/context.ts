import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../env/index.ts';
import { Annotations, PromletError } from '../../model/index.ts';
import type { MonotonicityNote } from '../functions/monotonicity-note.ts';
import { MAX_BLOCKING_MS, WORK_PER_CLOCK_CHECK } from '../limits.ts';
import { positionOf } from '../parse/parse-error.ts';
import type { SourceRange } from '../parse/ast.ts';
import type { ColumnMemory } from './column-memory.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { SampleCounts } from './sample-counts.ts';
import type { Spend } from '../../storage/index.ts';

/** The query's own grid, which `start()`, `end()`, `step()` and `range()` speak of. */
export interface QueryTimes {
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
}

export interface QueryContextOptions {
  readonly query: string;
  readonly times: QueryTimes;
  readonly clock: Clock;
  readonly memory: ColumnMemory;
  readonly deadlineMs: number;
  readonly maxSamples: number;
  readonly budget: MemoryBudget;
  readonly lookbackDeltaMs: number;
  readonly delayedNameRemoval: boolean;
  /** Counters are known to begin where their samples' start times say. */
  readonly usesStartTimes: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onSpend?: Spend | undefined;
}

/** Of the memory of a query, what others have who work on it, too. */
const RESERVED_SHARE = 1 / 4;

/** What a query holds at a time, of both budgets. */
export interface Held {
  readonly samples: number;
  readonly bytes: number;
}

/** What a running query may still use, and whether it should go on. */
export class QueryContext {
  readonly query: string;
  readonly times: QueryTimes;
  readonly lookbackDeltaMs: number;
  readonly delayedNameRemoval: boolean;
  readonly usesStartTimes: boolean;
  readonly signal: AbortSignal | undefined;
  /** Is told of the work that is spent, beside what storage tells it. */
  readonly onSpend: Spend | undefined;
  /** For the columns that kernels work on. */
  readonly memory: ColumnMemory;
  readonly annotations = new Annotations();
  /** Of the evaluation that runs now, when what is looked at is to be counted. */
  counts: SampleCounts | undefined;
  /** Read from storage so far. */
  loadedSamples = 0;
  /** By metric: notes that more calls than one add to. */
  readonly monotonicity = new Map<string, MonotonicityNote>();
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #maxSamples: number;
  readonly #budget: MemoryBudget;
  #samples = 0;
  #peakSamples = 0;
  /** Taken by the values that exist now. */
  #bytes = 0;
  /** Taken until the query ends. */
  #keptBytes = 0;
  /** For others who work on the query, as long as they are not needed here. */
  #reservedBytes = 0;
  #onShortage: (() => void) | undefined;
  /** Work done since the clock was last read. */
  #work = 0;
  #turnStartMs: number;

  constructor(options: QueryContextOptions) {
    this.query = options.query;
    this.times = options.times;
    this.lookbackDeltaMs = options.lookbackDeltaMs;
    this.delayedNameRemoval = options.delayedNameRemoval;
    this.usesStartTimes = options.usesStartTimes;
    this.signal = options.signal;
    this.memory = options.memory;
    this.onSpend = options.onSpend;
    this.#clock = options.clock;
    this.#deadlineMs = options.deadlineMs;
    this.#maxSamples = options.maxSamples;
    this.#budget = options.budget;
    this.#turnStartMs = options.clock.monotonicMs();
  }

  /** Samples held now. */
  get samples(): number {
    return this.#samples;
  }

  /** The most samples that were held at a time. */
  get peakSamples(): number {
    return this.#peakSamples;
  }

  get held(): Held {
    return { samples: this.#samples, bytes: this.#bytes };
  }

  /**
   * Gives back all that was taken since `before`, but for a result of this size: the inputs of an operator are garbage
   * once it is done.
   * @throws PromletError `promql/too-many-samples`, `promql/too-many-bytes`
   */
  holdOnly(before: Held, resultSamples: number, resultBytes: number): void {
    this.#bytes = before.bytes;
    this.takeBytes(resultBytes);
    this.holdSamples(before.samples + resultSamples);
  }

  /** @throws PromletError `promql/too-many-samples` */
  holdSamples(count: number): void {
    this.#samples = count;
    this.requireRoom(0);
  }

  /** Before memory for `extra` more samples is taken. @throws PromletError `promql/too-many-samples` */
  requireRoom(extra: number): void {
    const needed = this.#samples + extra;
    if (needed > this.#peakSamples) this.#peakSamples = needed;
    if (needed <= this.#maxSamples) return;
    const what = 'query processing would load too many samples into memory in query execution';
    throw new PromletError('promql/too-many-samples', what);
  }

  /** Before `bytes` of memory are allocated that live as long as their operator. @throws PromletError `promql/too-many-bytes` */
  takeBytes(bytes: number): void {
    this.#bytes += bytes;
    this.requireBytes(0);
  }

  /** Memory that lives as long as the query. @throws PromletError `promql/too-many-bytes` */
  keepBytes(bytes: number): void {
    this.#keptBytes += bytes;
    this.requireBytes(0);
  }

  /**
   * Before memory is allocated that is soon garbage, or may turn out to be.
   * @throws PromletError `promql/too-many-bytes`, `query/unavailable` when other queries have too much for it
   */
  requireBytes(extra: number): void {
    const needed = this.#bytes + this.#keptBytes + extra;
    if (needed + this.#reservedBytes > this.#budget.maxBytes) {
      this.#onShortage?.();
      this.releaseBytes();
    }
    this.#budget.require(needed);
  }

  /**
   * Leaves a share of the memory to others.
   * @param onShortage is called when it is needed here after all: they have to go
   * @returns how much it is
   */
  reserveBytes(onShortage: () => void): number {
    this.#reservedBytes = this.#budget.maxBytes * RESERVED_SHARE;
    this.#onShortage = onShortage;
    return this.#reservedBytes;
  }

  /** Nobody else takes any more. */
  releaseBytes(): void {
    this.#reservedBytes = 0;
    this.#onShortage = undefined;
  }

  /** What is left of the query's time. */
  get leftMs(): number {
    return this.#deadlineMs - this.#clock.monotonicMs();
  }

  /** Counts work (about one sample touched each); true when the caller must `await pause()` now. */
  spend(work: number): boolean {
    this.onSpend?.(work);
    this.#work += work;
    if (this.#work < WORK_PER_CLOCK_CHECK) return false;
    this.#work = 0;
    return this.#clock.monotonicMs() - this.#turnStartMs >= MAX_BLOCKING_MS;
  }

  /** Work that is already done, where a pause is not possible; the next `spend` sees it. */
  countWork(work: number): void {
    this.onSpend?.(work);
    this.#work += work;
  }

  /** Gives the event loop a turn. @throws PromletError `promql/timeout`, `promql/canceled` */
  async pause(): Promise<void> {
    await nextTurn();
    this.#turnStartMs = this.#clock.monotonicMs();
    this.check();
  }

  /** @throws PromletError `promql/timeout`, `promql/canceled` */
  check(): void {
    if (this.signal?.aborted === true) {
      throw new PromletError('promql/canceled', 'query was canceled in expression evaluation');
    }
    if (this.#clock.monotonicMs() >= this.#deadlineMs) {
      throw new PromletError('promql/timeout', 'query timed out in expression evaluation');
    }
  }

  /** @param details told with the message; of messages that are else alike the last stays, whatever their positions */
  warn(message: string, at: SourceRange, details = ''): void {
    this.annotations.warn(`PromQL warning: ${message}${details} (${positionOf(this.query, at.start)})`, message);
  }

  /** @param details as for `warn` */
  info(message: string, at: SourceRange, details = ''): void {
    this.annotations.info(`PromQL info: ${message}${details} (${positionOf(this.query, at.start)})`, message);
  }
}

/** The query needs more than it may have, of samples or of memory: elsewhere it may have enough. */
export function isOverBudget(error: unknown): boolean {
  const code = error instanceof PromletError ? error.code : '';
  return code === 'promql/too-many-bytes' || code === 'promql/too-many-samples' || code === 'query/unavailable';
}

/** A fault of the query on this data, as Prometheus words it. */
export function executionError(message: string): PromletError {
  return new PromletError('promql/execution', message);
}
