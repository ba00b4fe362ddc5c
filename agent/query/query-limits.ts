import { type ApiLimits, DEFAULT_API_LIMITS } from '../../lib/api/query/index.ts';
import type { EngineOptions } from '../../lib/promql/index.ts';
import type { QueryLimits } from './messages.ts';

/** What one query may take, wherever it is evaluated. */
export function engineOptions(limits: Omit<QueryLimits, 'cacheBytes'>): EngineOptions {
  return {
    timeoutMs: limits.queryTimeoutMs,
    maxSamples: limits.queryMaxSamples,
    maxBytes: limits.queryMaxBytes,
    lookbackDeltaMs: limits.queryLookbackDeltaMs,
    features: limits.promqlFeatures ?? {},
  };
}

/** What a client may ask for. */
export function apiLimits({ queryTimeoutMs }: Pick<QueryLimits, 'queryTimeoutMs'>): ApiLimits {
  return { ...DEFAULT_API_LIMITS, queryTimeoutMs };
}
