import type { TargetsSnapshot as ApiTargets } from '../lib/api/index.ts';
import { parseDuration } from '../lib/model/index.ts';
import type { ActiveTarget, TargetsSnapshot } from './scrape/index.ts';

/** The scrape manager's snapshot in the terms of the API. */
export function apiTargets(snapshot: TargetsSnapshot): ApiTargets {
  return {
    active: snapshot.activeTargets.map(activeTarget),
    dropped: snapshot.droppedTargets,
    droppedCounts: snapshot.droppedTargetCounts,
  };
}

function activeTarget(target: ActiveTarget): ApiTargets['active'][number] {
  const lastScrapeMs = Date.parse(target.lastScrape);
  return {
    ...target,
    // Year 1 stands for "not yet".
    lastScrapeMs: lastScrapeMs < 0 ? undefined : lastScrapeMs,
    lastScrapeDurationMs: target.lastScrapeDuration * 1000,
    scrapeIntervalMs: parseDuration(target.scrapeInterval),
    scrapeTimeoutMs: parseDuration(target.scrapeTimeout),
  };
}
