export type { Connect } from './http-connection.ts';
export { DEFAULT_LIMITS, type ScrapeLimits } from './limits.ts';
export {
  type ActiveTarget,
  type DroppedTarget,
  ScrapeManager,
  type ScrapeManagerOptions,
  type TargetsSnapshot,
} from './scrape-manager.ts';
export { type IntervalLengths, ScrapeStats } from './scrape-stats.ts';
export type { Target } from './target.ts';
