export { QueryThreads, type QueryThreadsOptions } from './query-threads.ts';
