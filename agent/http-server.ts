import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorMessage, PromletError } from '../lib/model/index.ts';
import type { ListenAddress } from './flags.ts';
import { LIMITS } from './limits.ts';

/**
 * Listens from the first moment, so that a long replay does not look like a dead process: until `serve` gives it the real
 * handler it answers `/-/healthy` with 200 and everything else with 503.
 */
export class HttpServer {
  readonly #server: Server;
  #handler: RequestListener = answerWhileStarting;

  private constructor() {
    const timeouts = { headersTimeout: LIMITS.headersTimeoutMs, requestTimeout: LIMITS.requestTimeoutMs };
    this.#server = createServer(timeouts, (request, response) => this.#handler(request, response));
    this.#server.maxConnections = LIMITS.httpConnections;
  }

  /** @throws PromletError `agent/listen` */
  static async listen(address: ListenAddress): Promise<HttpServer> {
    const http = new HttpServer();
    const { host, port } = address;
    await new Promise<void>((resolve, reject) => {
      http.#server.once('error', (cause) => {
        reject(new PromletError('agent/listen', `${host ?? ''}:${port}: ${errorMessage(cause)}`, { cause }));
      });
      http.#server.listen({ port, ...(host === undefined ? {} : { host }) }, resolve);
    });
    return http;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  serve(handler: RequestListener): void {
    this.#handler = handler;
  }

  /** Takes no new requests, lets those under way end within `graceMs`, then cuts them. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeIdleConnections();
    const impatience = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(impatience);
  }
}

const answerWhileStarting: RequestListener = (request, response) => {
  const healthy = request.url === '/-/healthy';
  response.writeHead(healthy ? 200 : 503, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(healthy ? 'Promlet agent is healthy.\n' : 'Service Unavailable: starting\n');
};
