import { availableParallelism } from 'node:os';

/** Every bound on what a client can ask of a server. All of them can be set. */
export interface ApiLimits {
  /** What a query may take when the client names no `timeout`, waiting for its turn included. */
  readonly queryTimeoutMs: number;
  /** The most a client may ask for with `timeout`. */
  readonly maxQueryTimeoutMs: number;
  /** Requests that read storage at the same time; the others wait until their deadline. */
  readonly concurrentQueries: number;
  /** Form bodies, bytes. A query itself is bounded by the PromQL parser. */
  readonly bodyBytes: number;
  /** Points per series of a range query. */
  readonly points: number;
  /** Names or values in one answer of the label endpoints. */
  readonly labelResults: number;
  /** Label sets in one answer of `series`. */
  readonly seriesResults: number;
  readonly connections: number;
  /** A client that takes nothing of a long answer for so long is given up: memory is held for it. */
  readonly stallTimeoutMs: number;
  /** Until a request's header, and all of a request, must have arrived. */
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

export const DEFAULT_API_LIMITS: ApiLimits = {
  queryTimeoutMs: 30_000,
  maxQueryTimeoutMs: 120_000,
  concurrentQueries: 2 * availableParallelism(),
  bodyBytes: 1024 * 1024,
  points: 11_000,
  labelResults: 10_000,
  seriesResults: 100_000,
  connections: 512,
  stallTimeoutMs: 30_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
};
