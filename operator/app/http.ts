import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Router from '@koa/router';
import Koa from 'koa';
import type { OperatorMetrics } from './metrics.ts';

/** The operator's own pages: health and metrics. */
export function createRoutes(metrics: OperatorMetrics, isReady: () => boolean): Router {
  const router = new Router();
  router.get(['/-/healthy', '/healthz'], (context) => {
    context.body = 'Promlet operator is Healthy.\n';
  });
  router.get('/-/ready', (context) => {
    context.status = isReady() ? 200 : 503;
    context.body = isReady() ? 'Promlet operator is Ready.\n' : 'Service Unavailable\n';
  });
  router.get('/metrics', async (context) => {
    context.type = metrics.registry.contentType;
    context.body = await metrics.registry.metrics();
  });
  return router;
}

/** @returns the server, listening */
export async function listen(router: Router, { host, port }: { host: string; port: number }): Promise<Server> {
  const app = new Koa().use(router.routes()).use(router.allowedMethods());
  const server = createServer(app.callback() as Parameters<typeof createServer>[1]);
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  server.maxConnections = 512;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host === '' ? undefined : host, resolve);
  });
  return server;
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
