/** A thread that answers the endpoints that read storage: the database is lent to it, one request at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  type Answer,
  ApiError,
  DEFAULT_API_LIMITS,
  type Piece,
  queryEndpoints,
  toApiError,
} from '../../lib/api/query/index.ts';
import { nodeFileSystem, systemClock } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { assert } from '../../lib/model/index.ts';
import { Engine } from '../../lib/promql/index.ts';
import type { Queryable } from '../../lib/storage/index.ts';
import { TsdbReader } from '../../lib/tsdb/index.ts';
import type { FromThread, ThreadData, ToThread } from './messages.ts';

/** Shorter pieces are sent as text. */
const MIN_BYTES_LENGTH = 4096;
/** Shorter pieces wait for the next. */
const JOINED_LENGTH = 32 * 1024;

const encoder = new TextEncoder();
/** What a request may leave behind: garbage of large arrays is collected late. */
const SPENT_BYTES = 64 << 20;

const { limits } = workerData as ThreadData;
const port = parentPort!;
const reader = new TsdbReader({
  fileSystem: nodeFileSystem,
  kernels: createKernels(),
  cacheBytes: limits.cacheBytes,
});
const heldAtStartBytes = heldBytes();
let lent: Queryable | undefined;
let running: AbortController | undefined;
let wake: (() => void) | undefined;

const endpoints = queryEndpoints(
  {
    queryable: () => lent!,
    engine: new Engine({
      clock: systemClock,
      timeoutMs: limits.queryTimeoutMs,
      maxSamples: limits.queryMaxSamples,
      maxBytes: limits.queryMaxBytes,
      lookbackDeltaMs: limits.queryLookbackDeltaMs,
    }),
    clock: systemClock,
  },
  { ...DEFAULT_API_LIMITS, queryTimeoutMs: limits.queryTimeoutMs },
);

port.on('message', (message: ToThread) => {
  if (message.kind === 'run') void run(message);
  else if (message.kind === 'cancel') {
    running?.abort();
    wake?.();
  } else wake?.();
});

async function run({ endpoint, name, params, handle }: ToThread & { kind: 'run' }): Promise<void> {
  assert(running === undefined, 'query thread: two requests at a time');
  running = new AbortController();
  const { signal } = running;
  try {
    lent = reader.queryable(handle);
    const answer = await endpoints[endpoint]!({ params: new URLSearchParams(params), name, signal });
    await sendPieces(answer, signal);
  } catch (error) {
    const { errorType, message } = toApiError(error, signal);
    send({ kind: 'error', errorType, message });
  } finally {
    running = undefined;
    send({ kind: 'rest', isSpent: heldBytes() - heldAtStartBytes > SPENT_BYTES });
  }
}

/** Of this thread alone. */
function heldBytes(): number {
  const { heapTotal, external } = process.memoryUsage();
  return heapTotal + external;
}

/** One piece ahead of what the client has taken. */
async function sendPieces({ data, pieces, annotations }: Answer, signal: AbortSignal): Promise<void> {
  assert(pieces === undefined || Symbol.iterator in pieces, 'query thread: an answer from elsewhere');
  const texts = pieces === undefined ? undefined : joined(pieces);
  let next = texts?.next();
  const piece = next?.done === false ? next.value : undefined;
  next = texts?.next();
  send({
    kind: 'answer',
    data,
    warnings: annotations?.warnings ?? [],
    infos: annotations?.infos ?? [],
    piece,
    last: next?.done !== false,
  });
  while (next?.done === false) {
    await new Promise<void>((resolve) => (wake = resolve));
    if (signal.aborted) throw new ApiError('canceled', 'the client closed the connection');
    const { value } = next;
    next = texts!.next();
    send({ kind: 'piece', piece: value, last: next.done === true });
  }
}

/** An answer that is short goes in one message: each takes a turn of both threads. */
function* joined(pieces: Iterable<Piece>): Generator<Piece> {
  let out = '';
  for (const piece of pieces) {
    if (typeof piece === 'string') {
      out += piece;
      if (out.length < JOINED_LENGTH) continue;
      yield out;
    } else {
      if (out !== '') yield out;
      yield piece;
    }
    out = '';
  }
  if (out !== '') yield out;
}

/** Long pieces go as bytes that are handed over, not copied: the thread of the server writes them to its socket as they are. */
function send(message: FromThread): void {
  if (!('piece' in message) || message.piece === undefined || message.piece.length < MIN_BYTES_LENGTH) {
    port.postMessage(message);
    return;
  }
  const bytes = bytesOf(message.piece);
  port.postMessage({ ...message, piece: bytes }, [bytes.buffer]);
}

function bytesOf(piece: Piece): Uint8Array<ArrayBuffer> {
  return typeof piece === 'string' ? encoder.encode(piece) : new Uint8Array(piece);
}
