/**
 * A sample workload: a small koa shop instrumented with prom-client, with its own request traffic. One process is one
 * "pod". `node shop.ts --port 0 --name frontend --seed 1`; prints `listening PORT` when ready.
 */
import { parseArgs } from 'node:util';
import Koa from 'koa';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { seededRandom } from '../../../lib/env/random.ts';

const { values: flags } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    name: { type: 'string', default: 'shop' },
    seed: { type: 'string', default: '1' },
  },
});

const PATHS = ['/', '/cart', '/products', '/checkout'] as const;
/** Requests the workload sends itself, per second. */
const REQUESTS_PER_SECOND = 20;

const random = seededRandom(Number(flags.seed));
const registry = new Registry();
registry.setDefaultLabels({ app: flags.name });

const requests = new Counter({
  name: 'shop_http_requests_total',
  help: 'HTTP requests served, by path and status code.',
  labelNames: ['path', 'code'] as const,
  registers: [registry],
});
const durations = new Histogram({
  name: 'shop_http_request_duration_seconds',
  help: 'Time to serve a request.',
  labelNames: ['path'] as const,
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
  registers: [registry],
});
const carts = new Gauge({ name: 'shop_open_carts', help: 'Carts not yet paid or abandoned.', registers: [registry] });

function serve(path: string): number {
  const code = random() < 0.03 ? 500 : random() < 0.05 ? 404 : 200;
  requests.inc({ path, code: String(code) });
  durations.observe({ path }, -Math.log(1 - random()) * 0.04);
  if (path === '/cart') carts.inc();
  if (path === '/checkout') carts.set(Math.max(0, (Math.floor(random() * 40) + 1) % 40));
  return code;
}

const app = new Koa();
app.use(async (ctx) => {
  if (ctx.path === '/metrics') {
    ctx.type = registry.contentType;
    ctx.body = await registry.metrics();
    return;
  }
  ctx.status = serve(ctx.path);
  ctx.body = `${flags.name}\n`;
});

const server = app.listen(Number(flags.port), flags.host, () => {
  const address = server.address();
  process.stdout.write(`listening ${typeof address === 'object' && address !== null ? address.port : ''}\n`);
});

const traffic = setInterval(() => serve(PATHS[Math.floor(random() * PATHS.length)]!), 1000 / REQUESTS_PER_SECOND);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    clearInterval(traffic);
    server.close();
    server.closeAllConnections();
  });
}
