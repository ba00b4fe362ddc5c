/** A thread that answers the endpoints that read storage: the database is lent to it, one request at a time. */
import { getPriority, setPriority } from 'node:os';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import {
  type Answer,
  ApiError,
  type Endpoints,
  federateEndpoint,
  queryEndpoints,
  toApiError,
} from '../../lib/api/query/index.ts';
import { nodeFileSystem, systemClock } from '../../lib/env/index.ts';
import { threadKernels } from '../../lib/kernels/index.ts';
import { assert } from '../../lib/model/index.ts';
import { Engine, MemoryBudget, PoolShare } from '../../lib/promql/index.ts';
import type { Queryable } from '../../lib/storage/index.ts';
import { TsdbReader } from '../../lib/tsdb/index.ts';
import { assist, OtherThreads } from './assistance.ts';
import type { FromThread, ThreadData, ToThread } from './messages.ts';
import { apiLimits, engineOptions } from './query-limits.ts';
import { type Filled, SlotWriter } from './slots.ts';

/** What a request may leave behind until it is cleaned up: garbage of large arrays is collected late. */
const SPENT_BYTES = 64 << 20;
/**
 * Below the server's thread, which has little to do but has to do it in time: with both cores at work for queries its timers
 * were late by 13 to 118 ms at the 99th percentile without it, by 6 to 9 ms with it.
 */
const LOWER_PRIORITY = 5;

// On Linux this is said of the thread, not of the process.
if (process.platform === 'linux') setPriority(0, Math.min(19, getPriority(0) + LOWER_PRIORITY));

const { limits, slots, others, memory } = workerData as ThreadData;
const port = parentPort!;
const reader = new TsdbReader({
  fileSystem: nodeFileSystem,
  kernels: threadKernels(),
  cacheBytes: limits.cacheBytes,
});
const heldAtStartBytes = heldBytes();
const writer = new SlotWriter(slots);
const pool = new PoolShare(memory);
let lent: Queryable | undefined;
let running: AbortController | undefined;
let wake: (() => void) | undefined;

const engine = new Engine({ ...engineOptions(limits), clock: systemClock, pool });
const assistants = new OtherThreads(others, (request) => {
  port.postMessage({ kind: 'help', request, end: undefined } satisfies FromThread, [...request.ports]);
});
const shared: Pick<Engine, 'instant' | 'range'> = {
  instant: (queryable, query, timeMs, options) => engine.instant(queryable, query, timeMs, { ...options, assistants }),
  range: (queryable, query, startMs, endMs, stepMs, options) =>
    engine.range(queryable, query, startMs, endMs, stepMs, { ...options, assistants }),
};
const deps = {
  queryable: () => lent!,
  engine: others === 0 ? engine : shared,
  clock: systemClock,
  perStepStats: limits.perStepStats ?? false,
  lookbackDeltaMs: limits.queryLookbackDeltaMs,
};
const endpoints: Endpoints = {
  ...queryEndpoints(deps, apiLimits(limits)),
  federate: federateEndpoint(deps),
};

port.on('message', (message: ToThread) => {
  if (message.kind === 'run') void run(message);
  else if (message.kind === 'assist') void help(message);
  else if (message.kind === 'clean') clean();
  else if (message.kind === 'cancel') {
    running?.abort();
    wake?.();
  } else wake?.();
});

async function run({
  endpoint,
  name,
  params,
  handle,
  queuedMs,
  countSamples,
}: ToThread & { kind: 'run' }): Promise<void> {
  assert(running === undefined, 'query thread: two requests at a time');
  running = new AbortController();
  const { signal } = running;
  let last: FromThread;
  try {
    lent = reader.queryable(handle);
    const budget = new MemoryBudget({ maxBytes: limits.queryMaxBytes, pool });
    const request = { params: new URLSearchParams(params), name, signal, queuedMs, countSamples, budget };
    last = await answered(await endpoints[endpoint]!(request), signal);
  } catch (error) {
    const { errorType, message } = toApiError(error, signal);
    last = { kind: 'error', errorType, message, end: undefined };
  }
  running = undefined;
  wake = undefined;
  send({ ...last, end: ended() });
}

async function help({ task, handle, port: asking }: ToThread & { kind: 'assist' }): Promise<void> {
  assert(running === undefined, 'query thread: two requests at a time');
  await assist(engine, () => reader.queryable(handle), task, asking);
  send({ kind: 'done', end: ended() });
}

/** What is left of a request is taken as long as it is there: when it is much, until it is cleaned up or the thread is gone. */
function ended(): { readonly isSpent: boolean } {
  const isSpent = heldBytes() - heldAtStartBytes > SPENT_BYTES;
  if (!isSpent) pool.release();
  return { isSpent };
}

/**
 * Collects garbage, and gives the memory back: after an ordinary collection, and after the end of a thread, V8 keeps pages of
 * objects for the process for some 8 s. Arrays of other requests came on top of them: 100 to 200 MiB more than was counted. It
 * takes 60 to 200 ms; another thread in its place took a quarter more CPU for each large answer.
 */
function clean(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: object) => void;
  setFlagsFromString('--no-expose-gc');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  send({ kind: 'done', end: ended() });
}

/** Of this thread alone. */
function heldBytes(): number {
  const { total_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}

/** Sends an answer, one piece ahead of what the client has taken. @returns what is to be sent last */
async function answered(
  { data, pieces, annotations, stats, loadedSamples = 0 }: Answer,
  signal: AbortSignal,
): Promise<FromThread> {
  const warnings = annotations?.warnings ?? [];
  const infos = annotations?.infos ?? [];
  const answer = { kind: 'answer', data, warnings, infos, stats, loadedSamples, end: undefined } as const;
  if (pieces === undefined) return { ...answer, piece: undefined };
  assert(Symbol.iterator in pieces, 'query thread: an answer from elsewhere');
  const filled = writer.fill(pieces);
  let message: FromThread = { ...answer, piece: filled.next().value as Filled };
  for (const piece of filled) {
    send(message);
    await new Promise<void>((resolve) => (wake = resolve));
    if (signal.aborted) throw new ApiError('canceled', 'the client closed the connection');
    message = { kind: 'piece', piece, end: undefined };
  }
  return message;
}

function send(message: FromThread): void {
  port.postMessage(message);
}
