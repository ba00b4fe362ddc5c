import type { ConfigProblem } from './error.ts';
import type { ParseOptions } from './types.ts';

/** What the thread is to do with a text: `parse` it, or `show` it as Prometheus's configuration page does. */
export interface ConfigTask {
  readonly kind: 'parse' | 'show';
  readonly text: string;
  readonly options: ParseOptions;
}

/**
 * A configuration crosses as JSON, job by job: it is plain data, and JSON is read back faster than a structured clone and
 * in pieces, between which the receiving thread can do other work.
 */
export type ConfigAnswer =
  | { readonly kind: 'parsed'; readonly rest: string; readonly jobs: readonly string[] }
  | { readonly kind: 'shown'; readonly text: string }
  | { readonly kind: 'refused'; readonly code: string; readonly problems: readonly ConfigProblem[] }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };
