import * as http from 'node:http';
import https from 'node:https';
import { errorMessage, PromletError } from '../model/index.ts';
import { KubeApiError } from './api-error.ts';
import type { Credentials, Identity } from './credentials.ts';
import type { KubeConnection } from './kubeconfig.ts';
import { LIMITS } from './limits.ts';
import type { Status } from './objects.ts';

export interface TransportRequest {
  readonly method: string;
  /** Path and query, below the server's base path. */
  readonly path: string;
  /** JSON text. */
  readonly body?: string;
  readonly contentType?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** HTTP/1.1 with keep-alive to one API server, signed with the current credentials. */
export class Transport {
  readonly #connection: KubeConnection;
  readonly #credentials: Credentials;
  readonly #userAgent: string;
  readonly #basePath: string;
  readonly #url: URL;
  #agent: http.Agent | https.Agent | undefined;
  /** What `#agent` was made with: a rotated client certificate needs new connections. */
  #agentCertPem: string | undefined;

  constructor(connection: KubeConnection, credentials: Credentials, userAgent: string) {
    this.#connection = connection;
    this.#credentials = credentials;
    this.#userAgent = userAgent;
    this.#url = parseServer(connection.server);
    this.#basePath = this.#url.pathname.replace(/\/+$/, '');
  }

  /** The whole answer as text. @throws KubeApiError | PromletError `kube/…` */
  async send(request: TransportRequest): Promise<string> {
    const what = `${request.method} ${request.path}`;
    // It takes whole milliseconds only; callers compute what remains of a deadline.
    const timeout = AbortSignal.timeout(Math.ceil(request.timeoutMs));
    const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
    try {
      const response = await this.open(request, signal);
      return await readBody(response, what);
    } catch (error) {
      if (timeout.aborted) {
        throw new PromletError('kube/timeout', `${what}: no answer within ${request.timeoutMs} ms`, { cause: error });
      }
      throw wrap(error, what);
    }
  }

  /** The answer once its head is there and is a success; the caller reads its body. A 401 is tried again once. */
  async open(request: TransportRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const what = `${request.method} ${request.path}`;
    for (let attempt = 0; ; attempt++) {
      const response = await this.#dispatch(request, await this.#credentials.current(), signal);
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return response;
      const text = await readBody(response, what);
      if (status === 401 && attempt === 0) {
        this.#credentials.invalidate();
        continue;
      }
      throw new KubeApiError(what, status, parseStatus(text), retryAfterMs(response));
    }
  }

  close(): void {
    this.#agent?.destroy();
  }

  #dispatch(request: TransportRequest, identity: Identity, signal: AbortSignal): Promise<http.IncomingMessage> {
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': this.#userAgent };
    if (identity.authorization !== undefined) headers['authorization'] = identity.authorization;
    if (request.body !== undefined) {
      headers['content-type'] = request.contentType ?? 'application/json';
      headers['content-length'] = String(Buffer.byteLength(request.body));
    }
    const options: https.RequestOptions = {
      method: request.method,
      host: this.#url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: this.#url.port,
      path: this.#basePath + request.path,
      headers,
      agent: this.#agentFor(identity),
      signal,
    };
    return new Promise((resolve, reject) => {
      const outgoing = this.#url.protocol === 'https:' ? https.request(options) : http.request(options);
      outgoing.on('response', resolve);
      outgoing.on('error', reject);
      outgoing.end(request.body);
    });
  }

  #agentFor(identity: Identity): http.Agent {
    if (this.#agent !== undefined && this.#agentCertPem === identity.certPem) return this.#agent;
    this.#agent?.destroy();
    this.#agentCertPem = identity.certPem;
    const { caPem, tlsServerName, skipTlsVerify } = this.#connection;
    // A dead peer is noticed by TCP keep-alive too, not only by the watchdog of a watch.
    const shared = { keepAlive: true, keepAliveMsecs: 15_000 };
    this.#agent =
      this.#url.protocol === 'https:'
        ? new https.Agent({
            ...shared,
            ...(caPem === undefined ? {} : { ca: caPem }),
            ...(identity.certPem === undefined ? {} : { cert: identity.certPem }),
            ...(identity.keyPem === undefined ? {} : { key: identity.keyPem }),
            ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
            rejectUnauthorized: !skipTlsVerify,
          })
        : new http.Agent(shared);
    return this.#agent;
  }
}

function parseServer(server: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new PromletError('kube/bad-config', `server "${server}" is not an http(s) URL`);
  }
  return url;
}

async function readBody(response: http.IncomingMessage, what: string): Promise<string> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    sizeBytes += part.length;
    if (sizeBytes > LIMITS.responseBytes) {
      response.destroy();
      throw new PromletError('kube/bad-response', `${what}: more than ${LIMITS.responseBytes} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts, sizeBytes).toString('utf8');
}

/** A Status, or what the server said instead of one. */
function parseStatus(text: string): Status {
  try {
    const value = JSON.parse(text) as Status | null;
    if (value?.kind === 'Status') return value;
  } catch {
    // Proxies answer in plain text; it is kept as the message.
  }
  return text.trim() === '' ? {} : { message: text.trim() };
}

function retryAfterMs(response: http.IncomingMessage): number | undefined {
  const seconds = Number(response.headers['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
}

/** Socket faults become typed errors; typed errors and aborts by the caller pass. */
export function wrap(error: unknown, what: string): unknown {
  if (error instanceof PromletError || (error instanceof Error && error.name === 'AbortError')) return error;
  return new PromletError('kube/unreachable', `${what}: ${errorMessage(error)}`, { cause: error });
}
