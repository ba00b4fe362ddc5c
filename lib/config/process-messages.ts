import type { ConfigProblem } from './error.ts';
import type { ParseOptions, PrometheusConfig, ScrapeConfig } from './types.ts';

/** What the process is to do with a text: `parse` it, or `show` it as Prometheus's configuration page does. On stdin. */
export interface ConfigTask {
  readonly kind: 'parse' | 'show';
  readonly text: string;
  readonly options: ParseOptions;
}

/** Lines on stdout, JSON each: a refusal; or a text; or the sections of a configuration and then job by job. */
export type ConfigAnswer =
  | { readonly kind: 'refused'; readonly code: string; readonly problems: readonly ConfigProblem[] }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'shown'; readonly text: string }
  | { readonly kind: 'sections'; readonly sections: Omit<PrometheusConfig, 'scrape_configs'> }
  | { readonly kind: 'job'; readonly job: ScrapeConfig };
