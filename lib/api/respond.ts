import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import type { Context } from 'koa';
import type { Annotations } from '../model/index.ts';
import type { ApiError } from './errors.ts';
import { valueJson } from './json-strings.ts';
import { DEFAULT_API_LIMITS } from './limits.ts';
import type { QueryStats } from './query-stats.ts';

const gzipAsync = promisify(gzip);

/** Without a charset, which JSON does not have. */
const JSON_TYPE = 'application/json';
/** Answers below this many characters are not worth compressing. */
const MIN_GZIP_LENGTH = 1024;
/** Fast: the answer is compressed once and read once, mostly within a data centre. */
const GZIP = { level: 3 };
/** What stands before the data of an answer. */
const PREFIX = '{"status":"success","data":';
/** The most warnings, and infos, in one answer. */
const MAX_ANNOTATIONS = 10;
/**
 * Shorter answers are sent whole when they are at hand. Longer ones leave so much behind outside of the heap, and so little in it,
 * that all of the heap was collected after every 25 of them: half as much CPU again.
 */
const MAX_WHOLE_LENGTH = 128 * 1024;
/** Smaller pieces are joined before they are sent. */
const MIN_PIECE_LENGTH = 32 * 1024;

/** A part of a text, or its UTF-8 bytes, which go on as they are and are valid until the next piece is asked for. */
export type Piece = string | Uint8Array;

/**
 * What an endpoint answers: `data` as a value, or as the pieces of its JSON text, an array when all of them are made; neither is
 * "no content".
 */
export interface Answer {
  readonly data?: unknown;
  readonly pieces?: Iterable<Piece> | AsyncIterable<Piece>;
  /** Complete when all pieces were taken. */
  readonly annotations?: Annotations;
  /** Of a query; for us, not for the client. */
  readonly stats?: QueryStats;
  /** Samples that a query read from storage. */
  readonly loadedSamples?: number;
}

/**
 * Sends `{"status":"success","data":…}`, piece by piece unless it is at hand and short, compressed when the client takes gzip. By
 * Node's own means: Koa's for headers and bodies, which look at what they are given, took a tenth of the CPU of a small request.
 */
export async function sendAnswer(ctx: Context, answer: Answer, stallTimeoutMs?: number): Promise<void> {
  const { res } = ctx;
  res.appendHeader('Vary', 'Accept-Encoding');
  if (answer.data === undefined && answer.pieces === undefined) {
    ctx.status = 204;
    return;
  }
  res.statusCode = 200;
  const { pieces } = answer;
  if (pieces === undefined || (Array.isArray(pieces) && lengthOf(pieces as Piece[]) <= MAX_WHOLE_LENGTH)) {
    res.setHeader('Content-Type', JSON_TYPE);
    await sendWhole(ctx, whole(answer, pieces as Piece[] | undefined));
    return;
  }
  await sendText(ctx, JSON_TYPE, envelope(answer), stallTimeoutMs);
}

/** Sends `{"status":"error",…}` with the status of its type. */
export function sendError(ctx: Context, error: ApiError): void {
  ctx.status = error.status;
  ctx.set('Content-Type', JSON_TYPE);
  ctx.body = valueJson({ status: 'error', errorType: error.errorType, error: error.message });
}

/**
 * Sends text as it is made: never more than a few pieces of it are held, and other work of the thread goes on between
 * them. What fails behind the first piece breaks the connection off, so that no client takes half an answer for a whole; so
 * does a client that takes nothing of it for `stallTimeoutMs`.
 */
export async function sendText(
  ctx: Context,
  contentType: string,
  text: AsyncGenerator<Piece>,
  stallTimeoutMs = DEFAULT_API_LIMITS.stallTimeoutMs,
): Promise<void> {
  const pieces = text[Symbol.asyncIterator]();
  const first = await pieces.next();
  const second = first.done ? first : await pieces.next();
  ctx.set('Content-Type', contentType);
  if (second.done) {
    await sendWhole(ctx, first.done ? [] : [first.value]);
    return;
  }
  const { res } = ctx;
  ctx.respond = false;
  res.setTimeout(stallTimeoutMs, () => res.destroy());
  const compresses = acceptsGzip(ctx);
  if (compresses) ctx.set('Content-Encoding', 'gzip');
  res.statusCode = ctx.status;
  const sink = compresses ? createGzip(GZIP) : res;
  try {
    if (sink !== res) sink.pipe(res);
    await write(sink, res, first.value as Piece);
    await write(sink, res, second.value);
    for await (const piece of { [Symbol.asyncIterator]: () => pieces }) await write(sink, res, piece);
  } catch (error) {
    res.destroy();
    throw error;
  }
  sink.end();
  if (!res.writableFinished) await Promise.race([once(res, 'finish'), once(res, 'close')]);
}

/**
 * Writes a piece. The next is asked for only when it is gone: its memory may be used again then.
 * @throws Error when the connection is closed
 */
async function write(sink: Writable, res: ServerResponse, piece: Piece): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onClose = (): void => reject(new Error('the connection was closed'));
    if (res.destroyed) {
      onClose();
      return;
    }
    res.once('close', onClose);
    sink.write(typeof piece === 'string' ? piece : bytesOf(piece), 'utf8', (error) => {
      res.off('close', onClose);
      if (error) reject(error);
      else resolve();
    });
  });
  await nextTurn();
}

/** Sends a text with one call of the system: as three pieces 90 kB took half a millisecond more. Bytes are not copied for it. */
async function sendWhole(ctx: Context, text: readonly Piece[]): Promise<void> {
  const { res } = ctx;
  let parts: readonly Piece[] = text.every(isText) ? [text.join('')] : text;
  if (lengthOf(parts) >= MIN_GZIP_LENGTH && acceptsGzip(ctx)) {
    res.setHeader('Content-Encoding', 'gzip');
    parts = [await gzipAsync(Buffer.concat(parts.map(bytesOf)), GZIP)];
  }
  ctx.respond = false;
  res.setHeader(
    'Content-Length',
    parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0),
  );
  for (const part of parts.slice(0, -1)) res.write(part);
  res.end(parts.at(-1));
}

function acceptsGzip(ctx: Context): boolean {
  if (ctx.req.headers['accept-encoding'] === undefined) return false;
  return ctx.acceptsEncodings('gzip', 'identity') === 'gzip';
}

function bytesOf(piece: Piece): Buffer {
  if (typeof piece === 'string') return Buffer.from(piece);
  return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}

/** The text of an answer that is at hand. @param pieces of its data */
function whole({ data, annotations }: Answer, pieces: readonly Piece[] = [valueJson(data)]): Piece[] {
  return [PREFIX, ...pieces, suffix(annotations)];
}

function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

function isText(piece: Piece): piece is string {
  return typeof piece === 'string';
}

/** Short answers come out as one piece. */
async function* envelope({ pieces, annotations }: Answer): AsyncGenerator<Piece> {
  let out = PREFIX;
  for await (const piece of pieces!) {
    if (out.length + piece.length > MIN_PIECE_LENGTH) {
      yield out;
      out = '';
    }
    if (typeof piece === 'string') out += piece;
    else if (piece.length <= MIN_PIECE_LENGTH) out += bytesOf(piece).toString();
    else yield piece;
  }
  yield out + suffix(annotations);
}

function suffix(annotations: Annotations | undefined): string {
  let out = '';
  const warnings = annotations?.warnings ?? [];
  const infos = annotations?.infos ?? [];
  if (warnings.length > 0) out += `,"warnings":${valueJson(atMost(warnings, 'warning'))}`;
  if (infos.length > 0) out += `,"infos":${valueJson(atMost(infos, 'info'))}`;
  return `${out}}`;
}

function atMost(messages: readonly string[], what: string): readonly string[] {
  if (messages.length <= MAX_ANNOTATIONS) return messages;
  const rest = messages.length - MAX_ANNOTATIONS;
  return [...messages.slice(0, MAX_ANNOTATIONS), `${rest} more ${what} annotations omitted`];
}
