export type { Connect } from './http-connection.ts';
export { DEFAULT_LIMITS, type ScrapeLimits } from './limits.ts';
export { ScrapeManager, type ScrapeManagerOptions } from './scrape-manager.ts';
export { type IntervalLengths, ScrapeStats } from './scrape-stats.ts';
export type { Target } from './target.ts';
