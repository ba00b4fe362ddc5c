import type { ReadHandle } from '../../lib/tsdb/index.ts';
import type { ErrorType, Piece } from '../../lib/api/query/index.ts';

export interface QueryLimits {
  readonly queryTimeoutMs: number;
  readonly queryMaxSamples: number;
  readonly queryMaxBytes: number;
  readonly queryLookbackDeltaMs: number;
  /** For pages of blocks, in each thread. */
  readonly cacheBytes: number;
}

/** What a query thread is started with. */
export interface ThreadData {
  readonly limits: QueryLimits;
}

/** To a thread; it works on one request at a time. */
export type ToThread =
  | {
      readonly kind: 'run';
      /** Of the API, below `/api/v1/`. */
      readonly endpoint: string;
      readonly name: string;
      readonly params: string;
      readonly handle: ReadHandle;
    }
  /** One more piece may be sent. */
  | { readonly kind: 'more' }
  | { readonly kind: 'cancel' };

/** From a thread: an answer and its pieces, or an error; then `rest`. */
export type FromThread =
  | {
      readonly kind: 'answer';
      readonly data: unknown;
      readonly warnings: readonly string[];
      readonly infos: readonly string[];
      /** JSON text of the data, if it is not in `data`; more pieces follow unless `last`. */
      readonly piece: Piece | undefined;
      readonly last: boolean;
    }
  | { readonly kind: 'piece'; readonly piece: Piece; readonly last: boolean }
  | { readonly kind: 'error'; readonly errorType: ErrorType; readonly message: string }
  /** It can take the next request; when it holds much memory it had better be ended. */
  | { readonly kind: 'rest'; readonly isSpent: boolean };
