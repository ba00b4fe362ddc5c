export { Queries, type QueriesOptions } from './queries.ts';
