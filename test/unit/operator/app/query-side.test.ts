import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listen, type Listening } from '../../../../lib/api/index.ts';
import { createLogger, systemClock } from '../../../../lib/env/index.ts';
import { createKernels } from '../../../../lib/kernels/index.ts';
import { createKubeClient } from '../../../../lib/kube/index.ts';
import { Labels, Matcher } from '../../../../lib/model/index.ts';
import { createWireCodec, nodeTransport, readRemote, ResponseType } from '../../../../lib/remote/index.ts';
import type { Queryable } from '../../../../lib/storage/index.ts';
import { OperatorMetrics } from '../../../../operator/app/metrics.ts';
import { createQuerySide, type QuerySide } from '../../../../operator/app/query-side.ts';
import { parseFlags } from '../../../../operator/app/index.ts';
import { until } from '../../../tools/until.ts';
import { type FakeAgent, startAgent } from '../../federation/fake-agent.ts';
import { memoryQueryable, type MemorySeries } from '../../remote/memory-queryable.ts';

const MAX_BYTES = 900 << 10;
/** What is fetched for one request below takes some 600 KiB: there is no room for two of them. */
const MAX_TOTAL_BYTES = 1 << 20;
const TIME_MS = 1_000_000;

const series = (name: string, count: number): MemorySeries[] =>
  Array.from({ length: count }, (_, i) => ({
    labels: Labels.of({ __name__: name, i: `${i}` }),
    samples: [[TIME_MS, i]],
  }));

describe('the query side of the operator', () => {
  let agents: FakeAgent[];
  let apiServer: Server;
  let client: Awaited<ReturnType<typeof createKubeClient>>;
  let side: QuerySide;
  let server: Listening;
  /** What the second agent waits for before it answers. */
  let open: Promise<void> = Promise.resolve();

  before(async () => {
    agents = [
      await startAgent(memoryQueryable([...series('large', 1_000), ...series('huge', 2_000), ...series('small', 1)])),
      await startAgent(waiting(memoryQueryable([]))),
    ];
    apiServer = await startApiServer({
      pods: agents.map(({ url }, i) => podOf(`node-${i}`, Number(new URL(url).port))),
      nodes: agents.map((_, i) => ({ metadata: { name: `node-${i}` } })),
    });
    client = await createKubeClient({ server: urlOf(apiServer) });
    const sizes = [`--query.max-bytes=${MAX_BYTES >> 10}KiB`, `--query.max-total-bytes=${MAX_TOTAL_BYTES >> 10}KiB`];
    side = createQuerySide(
      {
        flags: parseFlags(sizes),
        version: '0.0.0',
        client,
        metrics: new OperatorMetrics(),
        logger: createLogger('silent'),
        clock: systemClock,
      },
      () => true,
    );
    server = await listen(side.app, '127.0.0.1:0');
    side.start();
    await until(() => side.isReady());
  });
  after(async () => {
    await server.close();
    await side.stop();
    client.close();
    apiServer.closeAllConnections();
    apiServer.close();
    for (const agent of agents) await agent.close();
  });
  afterEach(() => {
    open = Promise.resolve();
  });

  const waiting = (queryable: Queryable): Queryable => ({
    querier(minMs, maxMs) {
      const querier = queryable.querier(minMs, maxMs);
      return {
        select: async (...args) => {
          await open;
          return querier.select(...args);
        },
        labelNames: (...args) => querier.labelNames(...args),
        labelValues: (...args) => querier.labelValues(...args),
        close: () => querier.close(),
      };
    },
  });

  const url = (path: string): string => `http://127.0.0.1:${server.port}/api/v1/${path}`;
  const query = async (text: string): Promise<{ status: number; text: string }> => {
    const response = await fetch(url(`query?time=${TIME_MS / 1000}&query=${encodeURIComponent(text)}`));
    return { status: response.status, text: await response.text() };
  };

  it('bounds what a query fetches and evaluates', async () => {
    for (const text of ['count(huge)', 'label_replace(large, "x", "$1", "i", "(.*)")']) {
      const { status, text: answer } = await query(text);
      assert.equal(status, 422, answer);
      assert.match(answer, /more than 921600 bytes of memory \(--query\.max-bytes\)/);
    }
  });

  it('bounds what all queries fetch together, and has it again afterwards', async () => {
    const gate = Promise.withResolvers<void>();
    open = gate.promise;
    const both = ['count(large)', 'count(large) + 0'].map(query);
    const first = await Promise.race(both);
    assert.equal(first.status, 503, first.text);
    assert.match(first.text, /all queries together .* 1048576 bytes of memory \(--query\.max-total-bytes\)/);
    gate.resolve();
    const statuses = (await Promise.all(both)).map(({ status }) => status);
    assert.deepEqual(
      statuses.toSorted((a, b) => a - b),
      [200, 503],
    );
    for (let i = 0; i < 3; i++) assert.equal((await query('count(large)')).status, 200);
  });

  it('bounds what is listed', async () => {
    for (const path of ['series?match[]=huge', 'label/i/values?match[]=huge']) {
      const response = await fetch(url(path));
      assert.equal(response.status, path.startsWith('series') ? 422 : 200, await response.text());
    }
  });

  it('counts remote read, and gives back what it took', async () => {
    const transport = nodeTransport({ maxIdlePerHost: 1, connectTimeoutMs: 60_000 });
    const remote = { transport, codec: createWireCodec(createKernels()), limits: {} };
    const countOf = async (name: string): Promise<number> => {
      const matchers = [new Matcher('=', '__name__', name)];
      const hints = { startMs: 0, endMs: TIME_MS, stepMs: 0, rangeMs: 0, func: '', grouping: [], by: false };
      const request = {
        queries: [{ startMs: 0, endMs: TIME_MS, matchers, hints }],
        acceptedResponseTypes: [ResponseType.streamedXorChunks],
      };
      const { signal } = new AbortController();
      const answer = await readRemote(remote, url('read'), request, signal);
      let count = 0;
      for await (const batch of answer.batches) count += batch.length;
      return count;
    };
    try {
      await assert.rejects(countOf('huge'), /more than 921600 bytes of memory \(--query\.max-bytes\)/);
      for (let i = 0; i < 3; i++) assert.equal(await countOf('large'), 1_000);
    } finally {
      transport.close();
    }
  });
});

function podOf(nodeName: string, containerPort: number): object {
  return {
    metadata: { name: `agent-${nodeName}`, namespace: 'promlet' },
    spec: { nodeName, containers: [{ ports: [{ name: 'web', containerPort }] }] },
    status: { phase: 'Running', podIP: '127.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** Lists what it has; nothing ever changes. @param resources by their plural */
async function startApiServer(resources: Readonly<Record<string, readonly object[]>>): Promise<Server> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
    response.setHeader('content-type', 'application/json');
    if (searchParams.has('watch')) response.flushHeaders();
    else
      response.end(
        JSON.stringify({ metadata: { resourceVersion: '1' }, items: resources[pathname.split('/').at(-1)!] }),
      );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
