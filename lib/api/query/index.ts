/**
 * The part of the API that answers what reads storage, without the server around it: what a thread of its own needs, and
 * little to load.
 */
export type { ApiRequest, Endpoint, QueryDeps } from '../deps.ts';
export type { Endpoints } from '../endpoint.ts';
export { ApiError, type ErrorType, toApiError } from '../errors.ts';
export { federateEndpoint } from '../federate-endpoint.ts';
export { QueryGate } from '../gate.ts';
export { type ApiLimits, DEFAULT_API_LIMITS } from '../limits.ts';
export { queryEndpoints } from '../query-endpoints.ts';
export type { QueryStats } from '../query-stats.ts';
export type { Answer, Piece } from '../respond.ts';
export { queryTimeoutMs } from '../turns.ts';
