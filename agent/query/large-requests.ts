import type { ApiRequest } from '../../lib/api/query/index.ts';
import type { Clock } from '../../lib/env/index.ts';

const MAX_REMEMBERED = 256;
/** Then a request is tried again: what it reads may have become less. */
const PAUSE_MS = 60_000;
/**
 * The first pause of a request that ran out of time, doubled each time that it does so again, and the longest: there are
 * other reasons for it, as that the code is not compiled yet.
 */
const FIRST_PAUSE_MS = 4;
const MAX_SLOW_PAUSE_MS = 4_096;
/** Longer requests are not told apart from large ones. */
const MAX_LENGTH = 4_096;
/** Costs that grow by more than what is announced of them: regexes with counts, classes and flags, or over whole label sets. */
const COSTLY = /\{\s*\d|\\p|\(\?|label_replace/i;

/**
 * The requests that were too large for the server's thread lately, so that the next of their kind is not tried in vain. Of one
 * kind are those that differ but in when they ask about, and little in how much.
 */
export class LargeRequests {
  readonly #clock: Clock;
  /** By kind, those seen last at the end. */
  readonly #seen = new Map<string, { readonly untilMs: number; readonly pauseMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns undefined for what is large by the looks of it */
  kindOf(endpoint: string, { name, params }: ApiRequest): string | undefined {
    let kind = `${endpoint}\n${name}`;
    for (const [key, value] of params) {
      if (key === 'start' || key === 'end' || key === 'step' || key === 'time' || key === 'timeout') continue;
      kind += `\n${key}=${value}`;
      if (kind.length > MAX_LENGTH) return undefined;
    }
    if (COSTLY.test(kind)) return undefined;
    const start = params.get('start');
    return start === null
      ? kind
      : `${kind}\n${magnitude(Number(params.get('end')) - Number(start))} ${params.get('step')}`;
  }

  /** @param isSlow it ran out of time, with less work than there may be */
  add(kind: string, isSlow: boolean): void {
    const lastPauseMs = this.#seen.get(kind)?.pauseMs ?? FIRST_PAUSE_MS / 2;
    const pauseMs = isSlow ? Math.min(MAX_SLOW_PAUSE_MS, 2 * lastPauseMs) : PAUSE_MS;
    this.#seen.delete(kind);
    this.#seen.set(kind, { untilMs: this.#clock.monotonicMs() + pauseMs, pauseMs });
    if (this.#seen.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#seen.keys();
    this.#seen.delete(oldest!);
  }

  has(kind: string): boolean {
    const seen = this.#seen.get(kind);
    return seen !== undefined && this.#clock.monotonicMs() < seen.untilMs;
  }

  /** It was not too large. */
  forget(kind: string): void {
    if (this.#seen.size > 0) this.#seen.delete(kind);
  }
}

/** NaN for times that are no numbers. */
function magnitude(seconds: number): number {
  return Math.round(Math.log2(seconds));
}
