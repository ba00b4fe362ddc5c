import http from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import { createLogger } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { Matcher } from '../../../lib/model/index.ts';
import { createWireCodec, remoteRead } from '../../../lib/remote/index.ts';
import { collectSeries, type Queryable } from '../../../lib/storage/index.ts';

export interface FakeAgent {
  readonly url: string;
  /** Requests that arrived. */
  readonly requests: string[];
  close(): Promise<void>;
}

const ALL = [new Matcher('=~', '__name__', '.+')];
const codec = createWireCodec(createKernels());

async function listen(handler: http.RequestListener): Promise<FakeAgent> {
  const requests: string[] = [];
  // Connections are kept, however long nothing is asked.
  const server = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    handler(request, response);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** An agent that answers from a queryable: remote read by the real server code, and the JSON calls of federation. */
export function startAgent(queryable: Queryable, targets: object = {}): Promise<FakeAgent> {
  const app = new Koa();
  app.use(remoteRead({ queryable, codec, logger: createLogger('silent') }));
  app.use(async (context) => {
    const querier = queryable.querier(-1e15, 1e15);
    const path = decodeURIComponent(context.path);
    const values = /^\/api\/v1\/label\/(.+)\/values$/.exec(path);
    if (path === '/api/v1/targets') {
      context.body = { status: 'success', data: targets };
    } else if (path === '/api/v1/series') {
      const set = await querier.select(true, { startMs: 0, endMs: 0 }, ALL);
      context.body = { status: 'success', data: (await collectSeries(set)).map(({ labels }) => labels) };
    } else {
      const answer = values === null ? querier.labelNames({}, ALL) : querier.labelValues(values[1]!, {}, ALL);
      context.body = { status: 'success', data: (await answer).values, warnings: (await answer).annotations.warnings };
    }
  });
  const handle = app.callback();
  return listen((request, response) => void handle(request, response));
}

/** An agent that answers everything as it is told. */
export function startBrokenAgent(handler: http.RequestListener): Promise<FakeAgent> {
  return listen(handler);
}
