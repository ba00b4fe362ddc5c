import { Readable } from 'node:stream';
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

/** What an endpoint answers: `data` as a value, or as the pieces of its JSON text. */
export interface Answer {
  readonly data: unknown;
  readonly pieces?: Iterable<string>;
  readonly annotations?: Annotations;
  /** Said besides the annotations. */
  readonly warning?: string | undefined;
}

/** Sends `{"status":"success","data":…}`, piece by piece when it is long, compressed when the client takes gzip. */
export async function sendAnswer(ctx: Context, answer: Answer): Promise<void> {
  const pieces = envelope(answer);
  const first = pieces.next();
  const second = pieces.next();
  ctx.status = 200;
  ctx.set('Content-Type', JSON_TYPE);
  ctx.vary('Accept-Encoding');
  if (second.done) {
    const text = first.done ? '' : first.value;
    await sendText(ctx, text);
    return;
  }
  const source = Readable.from(chain([first.value as string, second.value], pieces), { objectMode: false });
  if (!acceptsGzip(ctx)) {
    ctx.body = source;
    return;
  }
  ctx.set('Content-Encoding', 'gzip');
  const compressed = createGzip(GZIP);
  source.on('error', (error) => compressed.destroy(error));
  compressed.on('close', () => source.destroy());
  ctx.body = source.pipe(compressed);
}

/** Sends `{"status":"error",…}` with the status of its type. */
export function sendError(ctx: Context, error: ApiError): void {
  ctx.status = error.status;
  ctx.set('Content-Type', JSON_TYPE);
  ctx.body = JSON.stringify({ status: 'error', errorType: error.errorType, error: error.message });
}

async function sendText(ctx: Context, text: string): Promise<void> {
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

/** Short answers come out as one piece. */
function* envelope({ data, pieces, annotations, warning }: Answer): Generator<string, undefined> {
  let out = '{"status":"success","data":';
  if (pieces === undefined) out += JSON.stringify(data);
  else {
    for (const piece of pieces) {
      if (out.length + piece.length > MIN_PIECE_LENGTH) {
        yield out;
        out = '';
      }
      out += piece;
    }
  }
  const warnings = [...(annotations?.warnings ?? []), ...(warning === undefined ? [] : [warning])];
  const infos = annotations?.infos ?? [];
  if (warnings.length > 0) out += `,"warnings":${JSON.stringify(atMost(warnings, 'warning'))}`;
  if (infos.length > 0) out += `,"infos":${JSON.stringify(atMost(infos, 'info'))}`;
  yield `${out}}`;
  return undefined;
}

/** Smaller pieces are joined before they are sent. */
const MIN_PIECE_LENGTH = 32 * 1024;

function atMost(messages: readonly string[], what: string): readonly string[] {
  if (messages.length <= MAX_ANNOTATIONS) return messages;
  const rest = messages.length - MAX_ANNOTATIONS;
  return [...messages.slice(0, MAX_ANNOTATIONS), `${rest} more ${what} annotations omitted`];
}

function* chain(head: readonly string[], tail: Iterable<string>): Generator<string> {
  yield* head;
  yield* tail;
}
