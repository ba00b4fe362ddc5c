import http from 'node:http';
import https from 'node:https';
import { PromletError } from '../model/index.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** Ends the request and, later, the reading of the body. */
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Leaving the iteration early closes the connection. An answer that was cut off ends with an error. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Complete once `body` is exhausted. */
  readonly trailers: Readonly<Record<string, string | undefined>>;
}

/** The network, passed in. */
export interface HttpTransport {
  request(request: HttpRequest): Promise<HttpAnswer>;
  close(): void;
}

export interface TransportOptions {
  /** Connections kept open to one host while nothing is asked. */
  readonly maxIdlePerHost: number;
  readonly connectTimeoutMs: number;
}

/** Kept connections are dropped after this, or when the server's Keep-Alive header says that it will drop them. */
const IDLE_TIMEOUT_MS = 60_000;

/**
 * Keep-alive `node:http`/`node:https`. Redirects are not followed: agents do not redirect. Nothing is tried twice, but for
 * a kept connection that the server closed just when it was used again: that request was never taken up.
 */
export function nodeTransport(options: TransportOptions): HttpTransport {
  const agentOptions = { keepAlive: true, maxFreeSockets: options.maxIdlePerHost, timeout: IDLE_TIMEOUT_MS };
  const plain = new http.Agent(agentOptions);
  const secure = new https.Agent(agentOptions);

  async function send(asked: HttpRequest, isSecondTry: boolean): Promise<HttpAnswer> {
    const { method, url, headers, body, signal } = asked;
    signal.throwIfAborted();
    const target = new URL(url);
    const isSecure = target.protocol === 'https:';
    const request = (isSecure ? https : http).request(target, {
      agent: isSecure ? secure : plain,
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'Content-Length': body.length }) },
      signal,
    });
    limitConnecting(request, options.connectTimeoutMs);
    try {
      return await answerTo(request, body);
    } catch (error) {
      signal.throwIfAborted();
      const wasClosed = request.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
      if (!wasClosed || isSecondTry) throw error;
    }
    return send(asked, true);
  }

  return {
    request: (asked) => send(asked, false),
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}

function answerTo(request: http.ClientRequest, body: Uint8Array | undefined): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (message) => {
      // From here on a fault ends the body.
      request.off('error', reject).on('error', () => undefined);
      resolve({
        status: message.statusCode ?? 0,
        headers: message.headers,
        body: message as AsyncIterable<Uint8Array>,
        get trailers() {
          return message.trailers;
        },
      });
    });
    request.end(body);
  });
}

function limitConnecting(request: http.ClientRequest, timeoutMs: number): void {
  request.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => {
      // After a look at the sockets: a process that stood still must not take the connections it made for missing.
      setImmediate(() => {
        if (!socket.connecting) return;
        request.destroy(
          new PromletError('remote/connect-timeout', `no connection to ${request.host} within ${timeoutMs} ms`),
        );
      });
    }, timeoutMs);
    const stop = (): void => clearTimeout(timer);
    socket.once('connect', stop).once('close', stop);
  });
}
