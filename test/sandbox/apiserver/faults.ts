import type { ApiError } from './status.ts';

/** A request as a fault sees it. */
export interface FaultRequest {
  method: string;
  /** Path with the query. */
  url: string;
}

export interface Fault {
  /** Which requests it hits. */
  matches: (request: FaultRequest) => boolean;
  /** The answer instead of the real one; without it the request is served after the delay. */
  error?: ApiError;
  /** Seconds for a `Retry-After` header. */
  retryAfterSeconds?: number;
  delayMs?: number;
  /** How many requests it hits before it is spent; without it, all. */
  times?: number;
}

/** The faults that are switched on, in the order in which they were added. */
export class Faults {
  readonly #active = new Set<{ fault: Fault; left: number }>();

  /** Switches a fault on; the returned function switches it off. */
  add(fault: Fault): () => void {
    const entry = { fault, left: fault.times ?? Infinity };
    this.#active.add(entry);
    return () => void this.#active.delete(entry);
  }

  clear(): void {
    this.#active.clear();
  }

  /** The first fault that hits this request; it counts as used. */
  take(request: FaultRequest): Fault | undefined {
    for (const entry of this.#active) {
      if (!entry.fault.matches(request)) continue;
      entry.left -= 1;
      if (entry.left <= 0) this.#active.delete(entry);
      return entry.fault;
    }
    return undefined;
  }
}
