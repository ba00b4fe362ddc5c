import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Koa from 'koa';
import { PromletError } from '../model/index.ts';
import { type ApiLimits, DEFAULT_API_LIMITS } from './limits.ts';

/** Added to the longest query before a socket on which nothing moves counts as dead. */
const IDLE_SLACK_MS = 30_000;
/**
 * How long a connection is kept on which nothing is asked, as Prometheus keeps it. Clients keep theirs for 60 to 90 s: a request
 * that is on its way when the server hangs up is lost, and those who hung up first, after Node's 5 s, were we.
 */
const KEEP_ALIVE_MS = 300_000;
/** How long running requests may go on after `close`. */
const CLOSE_GRACE_MS = 5_000;

export interface Listening {
  readonly server: Server;
  readonly host: string;
  readonly port: number;
  /** Stops accepting, lets running requests end for a few seconds, then cuts them off. */
  close(): Promise<void>;
}

/**
 * Serves `app` on `HOST:PORT`, `:PORT` (all interfaces) or `[IPV6]:PORT`; port 0 takes a free one.
 * @throws PromletError `api/bad-address`, `api/listen`
 */
export async function listen(app: Koa, address: string, limits: Partial<ApiLimits> = {}): Promise<Listening> {
  const { host, port } = splitAddress(address);
  const bounds = { ...DEFAULT_API_LIMITS, ...limits };
  const handle = app.callback();
  const server = createServer(
    { headersTimeout: bounds.headersTimeoutMs, requestTimeout: bounds.requestTimeoutMs, maxHeaderSize: 32 * 1024 },
    (request, response) => void handle(request, response),
  );
  server.maxConnections = bounds.connections;
  server.timeout = bounds.maxQueryTimeoutMs + IDLE_SLACK_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new PromletError('api/listen', `cannot listen on ${address}: ${error.message}`, { cause: error })),
    );
    server.listen({ port, ...(host === '' ? {} : { host }) }, resolve);
  });
  const bound = server.address() as AddressInfo;
  return { server, host: bound.address, port: bound.port, close: () => close(server) };
}

function splitAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3] ?? Number.NaN);
  if (match === null || port > 65_535) {
    throw new PromletError('api/bad-address', `not a listen address: "${address}"; write HOST:PORT or :PORT`);
  }
  return { host: match[1] ?? match[2] ?? '', port };
}

async function close(server: Server): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(cut);
}
