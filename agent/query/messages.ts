import type { MessagePort } from 'node:worker_threads';
import type { AssistTask } from '../../lib/promql/index.ts';
import type { ReadHandle } from '../../lib/tsdb/index.ts';
import type { ErrorType, QueryStats } from '../../lib/api/query/index.ts';
import type { PoolPlace, PromqlFeatures } from '../../lib/promql/index.ts';
import type { HelpRequest } from './assistance.ts';
import type { Filled } from './slots.ts';

export interface QueryLimits {
  readonly queryTimeoutMs: number;
  readonly queryMaxSamples: number;
  readonly queryMaxBytes: number;
  /** Of all queries together. */
  readonly queryMaxTotalBytes?: number;
  readonly queryLookbackDeltaMs: number;
  readonly promqlFeatures?: PromqlFeatures;
  readonly perStepStats?: boolean;
  /** For pages of blocks, in each thread. */
  readonly cacheBytes: number;
}

/** What a query thread is started with. */
export interface ThreadData {
  readonly limits: QueryLimits;
  /** For the pieces of its answers. */
  readonly slots: SharedArrayBuffer;
  /** How many threads there may be beside it. */
  readonly others: number;
  /** What it takes of the memory for all queries. */
  readonly memory: PoolPlace;
}

/** To a thread; it works on one request at a time. */
export type ToThread =
  | {
      readonly kind: 'run';
      /** Of the API, below `/api/v1/`. */
      readonly endpoint: string;
      readonly name: string;
      readonly params: string;
      /** How long it waited for a thread. */
      readonly queuedMs: number;
      readonly countSamples: boolean;
      readonly handle: ReadHandle;
    }
  /** Help with what another thread works on, which the port leads to. */
  | { readonly kind: 'assist'; readonly task: AssistTask; readonly handle: ReadHandle; readonly port: MessagePort }
  /** What requests have left behind is to be given back. */
  | { readonly kind: 'clean' }
  /** One more piece may be sent. */
  | { readonly kind: 'more' }
  | { readonly kind: 'cancel' };

/** From a thread: an answer and the pieces that follow it, or an error. With the last it can take the next request. */
export type FromThread =
  | ({
      readonly kind: 'answer';
      readonly data: unknown;
      readonly warnings: readonly string[];
      readonly infos: readonly string[];
      readonly stats: QueryStats | undefined;
      readonly loadedSamples: number;
      /** JSON text of the data, if it is not in `data`. */
      readonly piece: Filled | undefined;
    } & Ending)
  | ({ readonly kind: 'piece'; readonly piece: Filled } & Ending)
  | ({ readonly kind: 'error'; readonly errorType: ErrorType; readonly message: string } & Ending)
  /** It goes on, whether help comes or not. */
  | ({ readonly kind: 'help'; readonly request: HelpRequest } & Ending)
  /** What was no request. */
  | ({ readonly kind: 'done' } & Ending);

interface Ending {
  /** More follows when it is undefined. */
  readonly end: { readonly isSpent: boolean } | undefined;
}
