import { type Answer, type ApiRequest, type Endpoints, type Piece, queryEndpoints } from '../../lib/api/query/index.ts';
import type { Clock } from '../../lib/env/index.ts';
import { assert } from '../../lib/model/index.ts';
import { Engine, isOverBudget } from '../../lib/promql/index.ts';
import type { Queryable, Spend } from '../../lib/storage/index.ts';
import { Allowance } from './allowance.ts';
import { LargeRequests } from './large-requests.ts';
import type { QueryLimits } from './messages.ts';
import { apiLimits, engineOptions } from './query-limits.ts';
import { TurnShare } from './turn-share.ts';

/** Of an attempt; a user's own limits are larger, or it is a thread that tells of them. */
const MAX_SAMPLES = 20_000;
const MAX_BYTES = 1 << 20;
/**
 * 10,000 label values, which are found and printed in half a millisecond. Less than two full pieces of a `JsonWriter`: only
 * another full one would be written over a full one.
 */
const MAX_ANSWER_LENGTH = 256 * 1024;
/** What a character of an answer costs, as `Spend` counts: kernels print it in 2 ns. */
const CHARACTER_WORK = 0.25;

export interface AttemptsOptions {
  readonly queryable: () => Queryable;
  readonly clock: Clock;
  readonly limits: QueryLimits;
}

/**
 * Answers small requests right on the server's thread: most read a few series, and waking a thread and being woken by it takes
 * longer than that. An attempt may take 2 ms of announced work, 4 ms by the clock; when that is not enough, what was done is
 * thrown away.
 */
export class Attempts {
  readonly #clock: Clock;
  readonly #large: LargeRequests;
  readonly #share: TurnShare;
  readonly #endpoints: Endpoints;
  /** Requests that were answered, and those that turned out to be too large. */
  answered = 0;
  abandoned = 0;

  constructor({ queryable, clock, limits }: AttemptsOptions) {
    this.#clock = clock;
    this.#large = new LargeRequests(clock);
    this.#share = new TurnShare(clock);
    const engine = new Engine({
      ...engineOptions(limits),
      clock,
      maxSamples: Math.min(limits.queryMaxSamples, MAX_SAMPLES),
      maxBytes: Math.min(limits.queryMaxBytes, MAX_BYTES),
    });
    this.#endpoints = queryEndpoints(
      { queryable, engine, clock, perStepStats: limits.perStepStats ?? false },
      apiLimits(limits),
    );
  }

  /**
   * Has the code of small requests loaded and compiled while this thread has nothing else to do. The first request takes longer
   * than an attempt may, and would start a thread: 20 MB. More does not pay: after 200 requests over HTTP, 100 ms of CPU, the next
   * hundred take a quarter less; after 400, or with V8 compiling earlier, the agent holds 10 to 20 MB more.
   */
  async warm(): Promise<void> {
    const { signal } = new AbortController();
    const answer = await this.#endpoints['query']!({
      params: new URLSearchParams({ query: 'sum(up) + 1' }),
      name: '',
      signal,
    });
    printed(answer, () => {});
  }

  /**
   * @returns undefined when the request has to be answered elsewhere
   * @throws ApiError, PromletError as the endpoint does, of what it would throw elsewhere too
   */
  async answer(endpoint: string, request: ApiRequest): Promise<Answer | undefined> {
    const kind = this.#large.kindOf(endpoint, request);
    if (kind === undefined || this.#large.has(kind)) return undefined;
    const turn = this.#share.enter();
    if (turn === undefined) return undefined;
    await turn;
    const allowance = new Allowance(this.#clock);
    try {
      const answer = await this.#endpoints[endpoint]!({ ...request, spend: allowance.spend });
      const whole = printed(answer, allowance.spend);
      if (!allowance.isExceeded) {
        this.answered++;
        this.#large.forget(kind);
        return whole;
      }
    } catch (error) {
      // The budgets of an attempt are not the user's.
      if (!allowance.isExceeded && !isOverBudget(error)) throw error;
    } finally {
      this.#share.used(allowance.usedMs);
    }
    this.abandoned++;
    this.#large.add(kind, allowance.isExceeded && allowance.isSlow);
    return undefined;
  }
}

/** An answer with all of its text made. */
function printed(answer: Answer, spend: Spend): Answer {
  const { pieces } = answer;
  assert(pieces !== undefined && Symbol.iterator in pieces, 'attempt: an answer from elsewhere');
  const texts: Piece[] = [];
  let length = 0;
  for (const piece of pieces) {
    length += piece.length;
    spend(length >= MAX_ANSWER_LENGTH ? Infinity : CHARACTER_WORK * piece.length);
    texts.push(piece);
  }
  return { ...answer, pieces: texts };
}
