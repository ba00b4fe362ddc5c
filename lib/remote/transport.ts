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

/**
 * Keep-alive `node:http`/`node:https`. Redirects are not followed: agents do not redirect.
 * A request never succeeds half: errors carry the system's code in their message.
 */
export function nodeTransport(options: TransportOptions): HttpTransport {
  const agentOptions = { keepAlive: true, maxFreeSockets: options.maxIdlePerHost, timeout: 0 };
  const plain = new http.Agent(agentOptions);
  const secure = new https.Agent(agentOptions);

  return {
    request({ method, url, headers, body, signal }) {
      const target = new URL(url);
      const isSecure = target.protocol === 'https:';
      return new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const request = (isSecure ? https : http).request(target, {
          agent: isSecure ? secure : plain,
          method,
          headers: { ...headers, ...(body === undefined ? {} : { 'Content-Length': body.length }) },
          signal,
        });
        request.once('socket', (socket) => {
          if (!socket.connecting) return;
          const timer = setTimeout(() => {
            request.destroy(
              new PromletError(
                'remote/connect-timeout',
                `no connection to ${target.host} in ${options.connectTimeoutMs} ms`,
              ),
            );
          }, options.connectTimeoutMs);
          const stop = (): void => clearTimeout(timer);
          socket.once('connect', stop).once('close', stop);
        });
        request.once('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error));
        request.once('response', (message) => {
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
    },
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}
