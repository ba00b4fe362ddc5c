import type { OnReadOpts, Socket, TcpNetConnectOpts } from 'node:net';
import type { Clock, Timer } from '../../lib/env/index.ts';
import type { Kernels } from '../../lib/kernels/index.ts';
import { assert, errorMessage, PromletError } from '../../lib/model/index.ts';
import { type BodyReader, bodyReader, parseHead, type ResponseHead } from './http-message.ts';
import { MAX_HEADER_BYTES } from './limits.ts';
import { PageBuffer } from './page-buffer.ts';

/** `net.connect`, passed in. */
export type Connect = (options: TcpNetConnectOpts & { onread: OnReadOpts }) => Socket;

export interface HttpAnswer {
  readonly head: ResponseHead;
  /** The body as sent; empty unless the status is 200. The caller releases it. */
  readonly page: PageBuffer;
}

/** What the connections of a thread share. */
export interface ConnectionContext {
  readonly kernels: Kernels;
  readonly clock: Clock;
  readonly connect: Connect;
  /** Address of FIRST_READ_BYTES that take the first read of any answer. */
  readonly firstRead: number;
}

/** Head and, mostly, all of a small body; a large body goes on in its own page, and what came with the head is copied there. */
export const FIRST_READ_BYTES = 16 * 1024;

interface Exchange {
  readonly page: PageBuffer;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
  head: ResponseHead | undefined;
  body: BodyReader | undefined;
  /** The head while it is incomplete. */
  headText: string;
}

/**
 * One keep-alive HTTP/1.1 connection to one target, for GETs of plain pages: one at a time, no pipelining. The socket
 * reads straight into the shared memory: the first bytes of an answer into a buffer all connections share (a read is
 * handled before the next can begin), the rest of the body into its page.
 */
export class HttpConnection {
  readonly #context: ConnectionContext;
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #exchange: Exchange | undefined;

  constructor(context: ConnectionContext, host: string, port: number) {
    this.#context = context;
    this.#host = host;
    this.#port = port;
  }

  /**
   * Sends `request` and reads the answer. A kept connection that turns out closed is replaced once.
   * @throws PromletError `scrape/timeout`, `scrape/http`, `scrape/connect`, `scrape/body-size-limit`
   */
  async get(request: string, timeoutMs: number, limitBytes: number): Promise<HttpAnswer> {
    const startMs = this.#context.clock.monotonicMs();
    const kept = this.#socket !== undefined;
    try {
      return await this.#send(request, timeoutMs, limitBytes);
    } catch (error) {
      if (!kept || !(error instanceof PromletError) || error.code !== 'scrape/closed-early') throw error;
      const leftMs = timeoutMs - (this.#context.clock.monotonicMs() - startMs);
      return this.#send(request, Math.max(1, leftMs), limitBytes);
    }
  }

  close(): void {
    this.#fail(new PromletError('scrape/canceled', 'context canceled'));
  }

  #send(request: string, timeoutMs: number, limitBytes: number): Promise<HttpAnswer> {
    assert(this.#exchange === undefined, 'http: two requests at once');
    const { clock, kernels } = this.#context;
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(
        () => this.#fail(new PromletError('scrape/timeout', 'context deadline exceeded')),
        timeoutMs,
      );
      const page = new PageBuffer(kernels.arena, limitBytes);
      this.#exchange = { page, resolve, reject, timer, head: undefined, body: undefined, headText: '' };
      this.#socket ??= this.#open();
      this.#socket.write(request, 'latin1');
    });
  }

  #open(): Socket {
    const socket = this.#context.connect({
      host: this.#host,
      port: this.#port,
      noDelay: true,
      onread: {
        buffer: () => this.#nextBuffer(),
        callback: (count, bytes) => {
          if (this.#socket === socket) this.#take(bytes.subarray(0, count));
          return true;
        },
      },
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (this.#socket === socket) this.#fail(describe(error, this.#host, this.#port));
    });
    socket.on('close', () => {
      if (this.#socket === socket) this.#closed();
    });
    socket.on('end', () => {
      if (this.#socket === socket) this.#closed();
    });
    return socket;
  }

  #nextBuffer(): Uint8Array {
    const exchange = this.#exchange;
    if (exchange?.body !== undefined) {
      const room = exchange.page.room();
      if (room.length > 0) return room;
    }
    const { kernels, firstRead } = this.#context;
    return kernels.arena.u8.subarray(firstRead, firstRead + FIRST_READ_BYTES);
  }

  #take(bytes: Uint8Array): void {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      this.#drop();
      return;
    }
    try {
      const rest = exchange.body === undefined ? this.#takeHead(exchange, bytes) : bytes;
      if (rest === undefined) return;
      if (exchange.head!.status !== 200 || exchange.body!.push(rest)) this.#finish(exchange);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** @returns the bytes behind the head, undefined while it is incomplete */
  #takeHead(exchange: Exchange, bytes: Uint8Array): Uint8Array | undefined {
    const before = exchange.headText.length;
    // No more becomes a string than the head, which was half of a scrape's garbage. The end may straddle two reads, so it
    // is searched for in the text again.
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAX_HEADER_BYTES));
    const blankLine = view.indexOf('\r\n\r\n');
    exchange.headText += view.toString('latin1', 0, blankLine < 0 ? view.length : blankLine + 4);
    const end = exchange.headText.indexOf('\r\n\r\n');
    if (end < 0 || end > MAX_HEADER_BYTES) {
      if (exchange.headText.length < MAX_HEADER_BYTES) return undefined;
      throw new PromletError('scrape/http', `response headers exceeded ${MAX_HEADER_BYTES} bytes`);
    }
    const head = parseHead(exchange.headText.slice(0, end));
    const rest = bytes.subarray(end + 4 - before);
    exchange.headText = '';
    if (head.status < 200) return rest.length > 0 ? this.#takeHead(exchange, rest) : undefined;
    exchange.head = head;
    if (head.status !== 200) return rest;
    exchange.body = bodyReader(head, exchange.page);
    return rest;
  }

  #finish(exchange: Exchange): void {
    exchange.timer.cancel();
    this.#exchange = undefined;
    // The body of an error is not read: a new connection is cheaper than an endless one.
    if (!exchange.head!.keepAlive || exchange.head!.status !== 200) this.#drop();
    exchange.resolve({ head: exchange.head!, page: exchange.page });
  }

  #closed(): void {
    const exchange = this.#exchange;
    if (exchange?.body?.completeAtEnd === true) {
      this.#drop();
      this.#finish(exchange);
      return;
    }
    const begun = exchange !== undefined && (exchange.head !== undefined || exchange.headText !== '');
    this.#fail(
      begun ? new PromletError('scrape/http', 'unexpected EOF') : new PromletError('scrape/closed-early', 'EOF'),
    );
  }

  #fail(error: Error): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#drop();
    if (exchange === undefined) return;
    exchange.timer.cancel();
    exchange.page.release();
    exchange.reject(error);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}

/** Go's words for what went wrong on the way. */
function describe(error: NodeJS.ErrnoException, host: string, port: number): PromletError {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  switch (error.code ?? '') {
    case 'ECONNREFUSED':
      return new PromletError('scrape/connect', `dial tcp ${address}: connect: connection refused`, { cause: error });
    case 'ENOTFOUND':
      return new PromletError('scrape/connect', `dial tcp: lookup ${host}: no such host`, { cause: error });
    case 'EHOSTUNREACH':
      return new PromletError('scrape/connect', `dial tcp ${address}: connect: no route to host`, { cause: error });
    case 'ECONNRESET':
    case 'EPIPE':
      return new PromletError('scrape/closed-early', `read tcp ${address}: read: connection reset by peer`, {
        cause: error,
      });
    default:
      return new PromletError('scrape/connect', `${address}: ${errorMessage(error)}`, { cause: error });
  }
}
