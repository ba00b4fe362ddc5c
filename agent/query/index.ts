export { engineOptions } from './query-limits.ts';
export { Queries, type QueriesOptions } from './queries.ts';
