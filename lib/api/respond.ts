import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import type { Context } from 'koa';
import type { Annotations } from '../model/index.ts';
import type { ApiError } from './errors.ts';

const gzipAsync = promisify(gzip);

/** Without a charset, which JSON does not have. */
const JSON_TYPE = 'application/json';
/** Answers below this many characters are not worth compressing. */
const MIN_GZIP_LENGTH = 1024;
/** Fast: the answer is compressed once and read once, mostly within a data centre. */
const GZIP = { level: 3 };
/** The most warnings, and infos, in one answer. */
const MAX_ANNOTATIONS = 10;
/** Smaller pieces are joined before they are sent. */
const MIN_PIECE_LENGTH = 32 * 1024;

/** What an endpoint answers: `data` as a value, or as the pieces of its JSON text; neither is "no content". */
export interface Answer {
  readonly data?: unknown;
  readonly pieces?: Iterable<string> | AsyncIterable<string>;
  /** Complete when all pieces were taken. */
  readonly annotations?: Annotations;
}

/** Sends `{"status":"success","data":…}`, piece by piece when it is long, compressed when the client takes gzip. */
export async function sendAnswer(ctx: Context, answer: Answer): Promise<void> {
  ctx.vary('Accept-Encoding');
  if (answer.data === undefined && answer.pieces === undefined) {
    ctx.status = 204;
    return;
  }
  ctx.status = 200;
  await sendText(ctx, JSON_TYPE, envelope(answer));
}

/** Sends `{"status":"error",…}` with the status of its type. */
export function sendError(ctx: Context, error: ApiError): void {
  ctx.status = error.status;
  ctx.set('Content-Type', JSON_TYPE);
  ctx.body = JSON.stringify({ status: 'error', errorType: error.errorType, error: error.message });
}

/**
 * Sends text as it is made: never more than a few pieces of it are held, and other work of the thread goes on between
 * them. What fails behind the first piece breaks the connection off, so that no client takes half an answer for a whole.
 */
export async function sendText(ctx: Context, contentType: string, text: AsyncGenerator<string>): Promise<void> {
  const pieces = text[Symbol.asyncIterator]();
  const first = await pieces.next();
  const second = first.done ? first : await pieces.next();
  ctx.set('Content-Type', contentType);
  if (second.done) {
    await sendWhole(ctx, first.done ? '' : first.value);
    return;
  }
  const { res } = ctx;
  ctx.respond = false;
  const compresses = acceptsGzip(ctx);
  if (compresses) ctx.set('Content-Encoding', 'gzip');
  res.statusCode = ctx.status;
  const bytes = encoded([first.value as string, second.value], pieces);
  try {
    if (compresses) await pipeline(bytes, createGzip(GZIP), res, { end: false });
    else await pipeline(bytes, res, { end: false });
  } catch (error) {
    res.destroy();
    throw error;
  }
  res.end();
  if (!res.writableFinished) await Promise.race([once(res, 'finish'), once(res, 'close')]);
}

async function sendWhole(ctx: Context, text: string): Promise<void> {
  if (text.length < MIN_GZIP_LENGTH || !acceptsGzip(ctx)) {
    ctx.body = text;
    return;
  }
  ctx.body = await gzipAsync(text, GZIP);
  ctx.set('Content-Encoding', 'gzip');
}

function acceptsGzip(ctx: Context): boolean {
  return ctx.acceptsEncodings('gzip', 'identity') === 'gzip';
}

async function* encoded(head: readonly string[], tail: AsyncGenerator<string>): AsyncGenerator<Buffer> {
  for (const piece of head) yield Buffer.from(piece);
  for await (const piece of tail) {
    yield Buffer.from(piece);
    await nextTurn();
  }
}

/** Short answers come out as one piece. */
async function* envelope({ data, pieces, annotations }: Answer): AsyncGenerator<string> {
  let out = '{"status":"success","data":';
  if (pieces === undefined) out += JSON.stringify(data);
  else {
    for await (const piece of pieces) {
      if (out.length + piece.length > MIN_PIECE_LENGTH) {
        yield out;
        out = '';
      }
      out += piece;
    }
  }
  const warnings = annotations?.warnings ?? [];
  const infos = annotations?.infos ?? [];
  if (warnings.length > 0) out += `,"warnings":${JSON.stringify(atMost(warnings, 'warning'))}`;
  if (infos.length > 0) out += `,"infos":${JSON.stringify(atMost(infos, 'info'))}`;
  yield `${out}}`;
}

function atMost(messages: readonly string[], what: string): readonly string[] {
  if (messages.length <= MAX_ANNOTATIONS) return messages;
  const rest = messages.length - MAX_ANNOTATIONS;
  return [...messages.slice(0, MAX_ANNOTATIONS), `${rest} more ${what} annotations omitted`];
}
