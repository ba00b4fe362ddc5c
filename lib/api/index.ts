export { buildInfo } from './build-info.ts';
export type {
  ActiveTarget,
  ApiDeps,
  BuildInfo,
  DroppedTarget,
  NamedCount,
  QueryableRequest,
  RuntimeStatus,
  TargetsSnapshot,
  TsdbStatus,
} from './deps.ts';
export { ApiError, type ErrorType } from './errors.ts';
export { type ApiLimits, DEFAULT_API_LIMITS } from './limits.ts';
export { listen, type Listening } from './listen.ts';
export { createApi } from './router.ts';
