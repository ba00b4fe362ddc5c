export { buildInfo } from './build-info.ts';
export type {
  ActiveTarget,
  AdminStorage,
  ApiDeps,
  ApiRequest,
  BuildInfo,
  Endpoint,
  DroppedTarget,
  Found,
  NamedCount,
  QueryableRequest,
  QueryDeps,
  RuntimeStatus,
  TargetMetadata,
  TargetsSnapshot,
  TsdbStatus,
  WalReplayStatus,
} from './deps.ts';
export { ApiError, type ErrorType, toApiError } from './errors.ts';
export { QueryGate } from './gate.ts';
export { type ApiLimits, DEFAULT_API_LIMITS } from './limits.ts';
export { listen, type Listening } from './listen.ts';
export { queryEndpoints } from './query-endpoints.ts';
export { RequestMemory } from './request-memory.ts';
export type { EndedQuery, QueryObserver } from './query-observer.ts';
export type { QueryStats } from './query-stats.ts';
export type { Answer, Piece } from './respond.ts';
export { type QueryAnswer, type QueryRun, type QueryTask, runQueryTask } from './query-task.ts';
export { queryTimeoutMs } from './turns.ts';
export { createApi } from './router.ts';
