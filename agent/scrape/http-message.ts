import { PromletError, shorten } from '../../lib/model/index.ts';
import { MAX_CHUNK_LINE_BYTES } from './limits.ts';
import type { PageBuffer } from './page-buffer.ts';

/** Status line and headers of an answer (RFC 9112). */
export interface ResponseHead {
  readonly status: number;
  /** `404 Not Found`, as Go prints it. */
  readonly statusText: string;
  /** Names in lower case; of a repeated header the last. */
  readonly headers: ReadonlyMap<string, string>;
  readonly keepAlive: boolean;
}

const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: (.*))?$/;

/** @throws PromletError `scrape/http` */
export function parseHead(text: string): ResponseHead {
  const [first = '', ...lines] = text.split('\r\n');
  const match = STATUS_LINE.exec(first);
  if (match === null) throw new PromletError('scrape/http', `malformed HTTP response "${shorten(first)}"`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon <= 0) throw new PromletError('scrape/http', `malformed HTTP header line "${shorten(line)}"`);
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'content-length' && headers.has(name) && headers.get(name) !== value) {
      throw new PromletError('scrape/http', 'two different Content-Length headers');
    }
    headers.set(name, value);
  }
  const connection = headers.get('connection')?.toLowerCase() ?? '';
  const keepAlive = match[1] === '1' ? !connection.includes('close') : connection.includes('keep-alive');
  const statusText = `${match[2]!} ${match[3] ?? ''}`.trim();
  return { status: Number(match[2]), statusText, headers, keepAlive };
}

/** An answer, its body still as it was sent. */
export interface Received {
  readonly status: number;
  readonly statusText: string;
  readonly contentType: string | undefined;
  readonly encoding: string | undefined;
  readonly page: PageBuffer;
}

export function isRedirect({ status }: { readonly status: number }): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** Receives a body into a page; `push` takes the bytes of each read. */
export interface BodyReader {
  /** @returns true when the body is complete. @throws PromletError `scrape/http`, `scrape/body-size-limit` */
  push(bytes: Uint8Array): boolean;
  /** The other side closed the connection. @returns true when that completes the body */
  readonly completeAtEnd: boolean;
}

/** @throws PromletError `scrape/http`, `scrape/body-size-limit` */
export function bodyReader(head: ResponseHead, page: PageBuffer): BodyReader {
  const encoding = head.headers.get('transfer-encoding');
  if (encoding !== undefined) {
    if (encoding.toLowerCase() === 'chunked') return new ChunkedBody(page);
    throw new PromletError('scrape/http', `unsupported transfer encoding "${shorten(encoding)}"`);
  }
  const length = head.headers.get('content-length');
  if (length === undefined) return new OpenBody(page);
  if (!/^\d{1,15}$/.test(length)) throw new PromletError('scrape/http', `bad Content-Length "${shorten(length)}"`);
  page.reserveAll(Number(length));
  return new SizedBody(page, Number(length));
}

class SizedBody implements BodyReader {
  readonly #page: PageBuffer;
  readonly #size: number;
  readonly completeAtEnd = false;

  constructor(page: PageBuffer, size: number) {
    this.#page = page;
    this.#size = size;
  }

  push(bytes: Uint8Array): boolean {
    const missing = this.#size - this.#page.length;
    if (bytes.length > missing) throw new PromletError('scrape/http', 'more bytes than Content-Length announced');
    this.#page.append(bytes);
    return bytes.length === missing;
  }
}

/** Ends where the connection ends. */
class OpenBody implements BodyReader {
  readonly #page: PageBuffer;
  readonly completeAtEnd = true;

  constructor(page: PageBuffer) {
    this.#page = page;
  }

  push(bytes: Uint8Array): boolean {
    this.#page.append(bytes);
    this.#page.reserveRead();
    return false;
  }
}

/** Chunked coding, taken apart in place: a chunk moves down over its own framing. */
class ChunkedBody implements BodyReader {
  readonly #page: PageBuffer;
  readonly completeAtEnd = false;
  #state: 'size' | 'data' | 'data-end' | 'trailer' | 'done' = 'size';
  #line = '';
  #left = 0;

  constructor(page: PageBuffer) {
    this.#page = page;
  }

  push(bytes: Uint8Array): boolean {
    let at = 0;
    while (at < bytes.length && this.#state !== 'done') {
      if (this.#state === 'data') {
        const count = Math.min(this.#left, bytes.length - at);
        // `append` may move the page, not these bytes: the old block is only freed, not written to.
        this.#page.append(bytes.subarray(at, at + count));
        at += count;
        this.#left -= count;
        if (this.#left === 0) this.#state = 'data-end';
      } else {
        at = this.#readLine(bytes, at);
      }
    }
    if (at < bytes.length) throw new PromletError('scrape/http', 'bytes behind the last chunk');
    if (this.#state === 'done') return true;
    this.#page.reserveRead();
    return false;
  }

  #readLine(bytes: Uint8Array, from: number): number {
    const lf = bytes.indexOf(0x0a, from);
    const end = lf < 0 ? bytes.length : lf;
    if (this.#line.length + end - from > MAX_CHUNK_LINE_BYTES) {
      throw new PromletError('scrape/http', 'chunk line too long');
    }
    for (let at = from; at < end; at++) this.#line += String.fromCharCode(bytes[at]!);
    if (lf < 0) return end;
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line;
    this.#line = '';
    this.#takeLine(line);
    return lf + 1;
  }

  #takeLine(line: string): void {
    if (this.#state === 'data-end') {
      if (line !== '') throw new PromletError('scrape/http', 'malformed chunked encoding');
      this.#state = 'size';
    } else if (this.#state === 'trailer') {
      if (line === '') this.#state = 'done';
    } else {
      const match = /^([0-9a-f]{1,8})\s*(?:;.*)?$/i.exec(line);
      if (match === null) throw new PromletError('scrape/http', `malformed chunk size "${shorten(line, 32)}"`);
      this.#left = parseInt(match[1]!, 16);
      this.#state = this.#left === 0 ? 'trailer' : 'data';
    }
  }
}
