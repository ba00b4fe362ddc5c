import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Middleware } from 'koa';
import { Gate, type Logger } from '../env/index.ts';
import { errorMessage, PromletError } from '../model/index.ts';

import { REMOTE_READ_LIMITS } from './limits.ts';
import { answerRead, type ReadAnswer, type RemoteReadDeps } from './read-answer.ts';
import { encodeWarnings, WARNINGS_TRAILER } from './warnings-trailer.ts';

const PATH = '/api/v1/read';

export interface RemoteReadOptions extends RemoteReadDeps {
  readonly logger: Logger;
}

/**
 * Koa middleware that answers `POST /api/v1/read` and passes everything else on. A fault before the first block is an
 * error status with a plain text message; a later one breaks the connection off, so that no client takes what came
 * for the whole answer.
 */
export function remoteRead(options: RemoteReadOptions): Middleware {
  const limits = { ...REMOTE_READ_LIMITS, ...options.limits };
  const gate = new Gate(limits.maxConcurrentReads);

  return async (context, next) => {
    if (context.path !== PATH) return next();
    if (context.method !== 'POST') {
      context.set('Allow', 'POST');
      context.status = 405;
      return;
    }
    const gone = new AbortController();
    const leave = (): void => gone.abort(new PromletError('remote/client-gone', 'the client closed the connection'));
    context.res.once('close', leave);
    try {
      await gate.enter(gone.signal);
      try {
        const answer = answerRead(options, await readBody(context.req, limits.maxRequestBytes), gone.signal);
        const body = await startBody(answer.body);
        context.respond = false;
        await send(answer, body, context.res);
      } finally {
        gate.leave();
      }
    } catch (error) {
      if (gone.signal.aborted || context.res.headersSent) {
        options.logger.warn({ err: errorMessage(error) }, 'remote read broken off');
        context.respond = false;
        context.res.destroy();
        return;
      }
      if (!(error instanceof PromletError)) throw error;
      context.respond = true;
      context.status = statusOf(error);
      context.type = 'text/plain';
      context.body = `${error.message}\n`;
    } finally {
      context.res.off('close', leave);
    }
  };
}

/** Encodes the first block, so that a fault up to there can still have a status of its own. */
async function startBody(body: AsyncIterable<Uint8Array>): Promise<AsyncGenerator<Uint8Array>> {
  const iterator = body[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    try {
      for (let step = first; step.done !== true; step = await iterator.next()) yield step.value;
    } finally {
      await iterator.return?.();
    }
  })();
}

async function send(answer: ReadAnswer, body: AsyncGenerator<Uint8Array>, response: ServerResponse): Promise<void> {
  response.writeHead(200, { ...answer.headers, Trailer: WARNINGS_TRAILER });
  await pipeline(body, response, { end: false });
  const warnings = encodeWarnings(answer.annotations);
  if (warnings !== undefined) response.addTrailers({ [WARNINGS_TRAILER]: warnings });
  response.end();
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > maxBytes) {
      throw new PromletError('remote/too-large', `a request of more than ${maxBytes} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The client's fault is 4xx, what the storage throws is ours. */
function statusOf(error: PromletError): number {
  if (error.code === 'remote/too-large') return 413;
  return error.code.startsWith('remote/') || error.code === 'model/bad-regex' ? 400 : 500;
}
