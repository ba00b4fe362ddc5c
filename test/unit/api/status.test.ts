import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type ApiDeps, listen, type TargetsSnapshot } from '../../../lib/api/index.ts';
import { Annotations, Labels } from '../../../lib/model/index.ts';
import Koa from 'koa';
import { memoryQueryable, NOW_MS, serve, testDeps } from './fixture.ts';

const annotations = new Annotations();
annotations.warn('node-b did not answer');

const target = (scrapePool: string) => ({
  discoveredLabels: Labels.of({ __address__: 'a:1' }),
  labels: Labels.of({ instance: 'a:1' }),
  scrapePool,
  scrapeUrl: 'http://a:1/metrics',
  lastError: '',
  lastScrapeMs: NOW_MS,
  lastScrapeDurationMs: 12,
  health: 'up' as const,
  scrapeIntervalMs: 15_000,
  scrapeTimeoutMs: 10_000,
});
const SNAPSHOT: TargetsSnapshot = {
  active: [target('app'), { ...target('db'), lastScrapeMs: undefined, health: 'unknown' }],
  dropped: [{ discoveredLabels: Labels.of({ __address__: 'b:1' }), scrapePool: 'app' }],
  droppedCounts: { app: 1, db: 0 },
  annotations,
};

async function withServer(changes: Partial<ApiDeps>, use: (url: string) => Promise<void>): Promise<void> {
  const server = await serve(testDeps(memoryQueryable([]), changes));
  try {
    await use(server.url);
  } finally {
    await server.close();
  }
}

interface StatusBody {
  readonly warnings: readonly string[];
  readonly error: string;
  readonly data: {
    readonly activeTargets: readonly { readonly lastScrape: string }[];
    readonly droppedTargets: readonly unknown[];
    readonly droppedTargetCounts: unknown;
    readonly version: string;
    readonly storageRetention: string;
  };
}

const bodyOf = async (url: string) => (await (await fetch(url)).json()) as StatusBody;

describe('api: status', () => {
  it('lists targets in the shape of Prometheus, with what is missing', async () => {
    await withServer({ targets: () => SNAPSHOT }, async (url) => {
      const { data, warnings } = await bodyOf(`${url}/api/v1/targets`);
      assert.deepEqual(warnings, ['node-b did not answer']);
      assert.deepEqual(data.activeTargets[0], {
        discoveredLabels: { __address__: 'a:1' },
        labels: { instance: 'a:1' },
        scrapePool: 'app',
        scrapeUrl: 'http://a:1/metrics',
        globalUrl: 'http://a:1/metrics',
        lastError: '',
        lastScrape: '2023-11-14T22:13:20.000Z',
        lastScrapeDuration: 0.012,
        health: 'up',
        scrapeInterval: '15s',
        scrapeTimeout: '10s',
      });
      assert.equal(data.activeTargets[1]!.lastScrape, '0001-01-01T00:00:00Z');
      assert.deepEqual(data.droppedTargets, [{ discoveredLabels: { __address__: 'b:1' }, scrapePool: 'app' }]);
      assert.deepEqual(data.droppedTargetCounts, { app: 1, db: 0 });
    });
  });

  it('filters targets by state and pool', async () => {
    await withServer({ targets: () => SNAPSHOT }, async (url) => {
      const active = (await bodyOf(`${url}/api/v1/targets?state=active&scrapePool=db`)).data;
      assert.deepEqual([active.activeTargets.length, active.droppedTargets.length], [1, 0]);
      const dropped = (await bodyOf(`${url}/api/v1/targets?state=dropped`)).data;
      assert.deepEqual([dropped.activeTargets.length, dropped.droppedTargets.length], [0, 1]);
    });
  });

  it('tells build, flags, configuration, runtime and TSDB', async () => {
    const tsdb = {
      headStats: { numSeries: 1, numLabelPairs: 2, chunkCount: 3, minTime: 4, maxTime: 5 },
      seriesCountByMetricName: [{ name: 'up', value: 1 }],
      labelValueCountByLabelName: [],
      memoryInBytesByLabelName: [],
      seriesCountByLabelValuePair: [],
    };
    const runtime = () => ({
      startTimeMs: NOW_MS,
      reloadConfigSuccess: true,
      lastConfigTimeMs: NOW_MS,
      corruptionCount: 0,
      storageRetention: '15d',
    });
    const limits: number[] = [];
    const tsdbStatus = (limit: number) => {
      limits.push(limit);
      return tsdb;
    };
    await withServer({ config: () => 'global: {}\n', runtime, tsdbStatus }, async (url) => {
      assert.equal((await bodyOf(`${url}/api/v1/status/buildinfo`)).data.version, '0.1.0');
      assert.deepEqual((await bodyOf(`${url}/api/v1/status/flags`)).data, { 'web.listen-address': '127.0.0.1:0' });
      assert.deepEqual((await bodyOf(`${url}/api/v1/status/config`)).data, { yaml: 'global: {}\n' });
      assert.equal((await bodyOf(`${url}/api/v1/status/runtimeinfo`)).data.storageRetention, '15d');
      assert.deepEqual((await bodyOf(`${url}/api/v1/status/tsdb`)).data, tsdb);
      await bodyOf(`${url}/api/v1/status/tsdb?limit=3`);
      assert.deepEqual(limits, [10, 3]);
      assert.equal((await bodyOf(`${url}/api/v1/status/tsdb?limit=10001`)).error, 'limit must not exceed 10000');
    });
  });

  it('formats a query', async () => {
    await withServer({}, async (url) => {
      const formatted = await bodyOf(`${url}/api/v1/format_query?query=${encodeURIComponent('sum  by(a)(up )')}`);
      assert.equal(formatted.data, 'sum by (a) (up)');
    });
  });
});

describe('api: lifecycle', () => {
  it('is healthy before it is ready, and refuses queries until then', async () => {
    let ready = false;
    await withServer({ ready: () => ready }, async (url) => {
      assert.equal((await fetch(`${url}/-/healthy`)).status, 200);
      assert.equal((await fetch(`${url}/-/ready`)).status, 503);
      assert.equal((await fetch(`${url}/api/v1/labels`)).status, 503);
      ready = true;
      assert.equal((await fetch(`${url}/-/ready`)).status, 200);
      assert.equal((await fetch(`${url}/api/v1/labels`)).status, 200);
    });
  });

  it('reloads by POST and PUT, and tells why it could not', async () => {
    let reloads = 0;
    const reload = async () => {
      reloads++;
      if (reloads === 2) throw new Error('line 3: no');
    };
    await withServer({ lifecycle: true, reload }, async (url) => {
      assert.equal((await fetch(`${url}/-/reload`, { method: 'POST' })).status, 200);
      const failed = await fetch(`${url}/-/reload`, { method: 'PUT' });
      assert.equal(failed.status, 500);
      assert.equal(await failed.text(), 'failed to reload config: line 3: no\n');
      assert.equal((await fetch(`${url}/-/reload`)).status, 405);
      assert.equal(reloads, 2);
    });
  });

  it('forbids reloading unless the flag is set', async () => {
    const reload = () => Promise.reject(new Error('called'));
    await withServer({ lifecycle: false, reload }, async (url) => {
      const response = await fetch(`${url}/-/reload`, { method: 'POST' });
      assert.equal(response.status, 403);
      assert.equal(await response.text(), 'Lifecycle API is not enabled.');
    });
  });

  it('serves its own metrics', async () => {
    await withServer({ metricsText: () => 'up 1\n' }, async (url) => {
      const response = await fetch(`${url}/metrics`);
      assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
      assert.equal(await response.text(), 'up 1\n');
    });
  });
});

describe('api: listening', () => {
  it('refuses what is not an address, and a port in use, by name', async () => {
    await assert.rejects(listen(new Koa(), 'nowhere'), { code: 'api/bad-address' });
    await assert.rejects(listen(new Koa(), '127.0.0.1:70000'), { code: 'api/bad-address' });
    await withServer({}, async (url) => {
      await assert.rejects(listen(new Koa(), url.slice('http://'.length)), { code: 'api/listen' });
    });
  });

  it('keeps connections for longer than clients keep them', async () => {
    await withServer({}, async (url) => {
      const { headers } = await fetch(`${url}/-/healthy`);
      const [, seconds] = /^timeout=(\d+)$/.exec(headers.get('keep-alive') ?? '') ?? [];
      assert.ok(Number(seconds) > 90, `${seconds} s`);
    });
  });

  it('drops connections beyond the limit', async () => {
    const server = await serve(testDeps(memoryQueryable([]), { limits: { connections: 2 } }));
    const sockets: Socket[] = [];
    try {
      for (let i = 0; i < 2; i++) {
        const socket = connect(server.port, '127.0.0.1');
        await new Promise((resolve) => socket.once('connect', resolve));
        sockets.push(socket);
      }
      const third = connect(server.port, '127.0.0.1');
      third.on('error', () => {});
      await new Promise((resolve) => third.once('close', resolve));
      sockets[0]!.end();
      await new Promise((resolve) => sockets[0]!.once('close', resolve));
      assert.equal((await fetch(`${server.url}/-/healthy`)).status, 200);
    } finally {
      for (const socket of sockets) socket.destroy();
      await server.close();
    }
  });

  it('aborts the query of a client that goes away', async () => {
    let aborted: () => void = () => {};
    const seen = new Promise<void>((resolve) => (aborted = resolve));
    const engine: ApiDeps['engine'] = {
      instant: (_queryable, _query, _timeMs, options) =>
        new Promise((_, reject) => {
          client.abort();
          options!.signal!.addEventListener('abort', () => {
            aborted();
            reject(new Error('stopped'));
          });
        }),
      range: () => Promise.reject(new Error('not asked')),
    };
    const client = new AbortController();
    await withServer({ engine }, async (url) => {
      await assert.rejects(fetch(`${url}/api/v1/query?query=up`, { signal: client.signal }));
      await seen;
    });
  });
});
