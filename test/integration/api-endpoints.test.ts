/** Every endpoint of the HTTP API, on an agent and on an operator that run as programs: who serves what, in which forms. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKernels } from '../../lib/kernels/index.ts';
import { Matcher } from '../../lib/model/index.ts';
import { createWireCodec } from '../../lib/remote/index.ts';
import { encodeReadRequest } from '../../lib/remote/read-request.ts';
import { Sandbox } from '../sandbox/sandbox.ts';
import { eventually, instant, PATIENCE_MS, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';

const OK = 200;
const NOT_THERE = 404;

/** Method, path with query, form; then the status of the agent and, where it is another, of the operator. */
const REQUESTS: readonly (readonly [request: string, agent: number, operator?: number])[] = [
  ['GET /api/v1/query?query=up', OK],
  ['GET /api/v1/query?query=up&limit=1&timeout=100s&lookback_delta=1m&stats=all', OK],
  ['GET /api/v1/query?query=up&limit=-1', 400],
  ['GET /api/v1/query?query=up&timeout=soon', 400],
  ['GET /api/v1/query?query=up&lookback_delta=none', 400],
  ['GET /api/v1/query?query=up%2B', 400],
  ['GET /api/v1/query?query=label_replace(up,%22a%22,%22b%22,%22c%22,%22(%22)', 422],
  ['POST /api/v1/query query=up&time=1', OK],
  ['GET /api/v1/query_range?query=up&start=1&end=2&step=1', OK],
  ['POST /api/v1/query_range query=up&start=1&end=2&step=1&limit=3&timeout=100s&lookback_delta=5m&stats=true', OK],
  ['GET /api/v1/query_exemplars?query=up&start=1&end=2', OK],
  ['POST /api/v1/query_exemplars query=up', OK],
  ['GET /api/v1/format_query?query=up', OK],
  ['POST /api/v1/format_query query=up', OK],
  ['GET /api/v1/parse_query?query=up', OK],
  ['POST /api/v1/parse_query query=up', OK],
  ['GET /api/v1/series?match[]=up&limit=1&start=1&end=2', OK],
  ['GET /api/v1/series', 400],
  ['POST /api/v1/series match[]=up', OK],
  ['GET /api/v1/labels?limit=2&match[]=up', OK],
  ['POST /api/v1/labels match[]=up', OK],
  ['GET /api/v1/label/job/values?limit=2&match[]=up', OK],
  ['GET /api/v1/targets?state=active', OK],
  ['GET /api/v1/targets/metadata?limit=1', OK],
  ['GET /api/v1/metadata?limit=1&limit_per_metric=1&metric=up', OK],
  ['GET /api/v1/scrape_pools', OK],
  ['GET /api/v1/rules?type=alert', OK],
  ['GET /api/v1/alerts', OK],
  ['GET /api/v1/alertmanagers', OK],
  ['GET /api/v1/status/config', OK, NOT_THERE],
  ['GET /api/v1/status/flags', OK],
  ['GET /api/v1/status/runtimeinfo', OK, NOT_THERE],
  ['GET /api/v1/status/buildinfo', OK],
  ['GET /api/v1/status/tsdb?limit=1', OK, NOT_THERE],
  ['GET /api/v1/status/walreplay', OK, NOT_THERE],
  ['GET /api/v1/features', OK],
  // Off by default.
  ['POST /api/v1/admin/tsdb/snapshot', 500],
  ['POST /api/v1/admin/tsdb/delete_series match[]=up', 500],
  ['POST /api/v1/admin/tsdb/clean_tombstones', 500],
  ['POST /api/v1/write', NOT_THERE],
  ['GET /federate?match[]=up', OK],
  ['GET /federate?match[]=up%2B', 400],
  ['GET /-/healthy', OK],
  ['GET /-/ready', OK],
  ['POST /-/reload', OK, 403],
  ['GET /-/quit', 405],
  ['GET /metrics', OK],
  ['GET /api/v1/nothing', NOT_THERE],
];

const codec = createWireCodec(createKernels());

describe('the HTTP API of the programs', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  let sandbox: Sandbox;
  let agentUrl: string;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-endpoints-'));
    sandbox = await Sandbox.create({ dir });
    await Promise.all([
      sandbox.startOperator(),
      sandbox.startAgent('node-a'),
      sandbox.addWorkload({ app: 'cart', node: 'node-a', namespace: 'shop' }),
    ]);
    sandbox.applyManifest('cart-podmonitor.yaml');
    agentUrl = [...sandbox.agents.values()][0]!.url;
    await eventually('a sample in the federated answer', PATIENCE_MS, async () => {
      return (await instant(sandbox.operatorUrl, 'up')).length > 0;
    });
  });
  after(async () => {
    await sandbox?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  async function statusOf(base: string, request: string): Promise<string> {
    const [method, path, form] = request.split(' ');
    const init = { method: method!, ...(form !== undefined && { body: new URLSearchParams(form) }) };
    const response = await fetch(base + path!, init);
    await response.bytes();
    return `${request}: ${response.status}`;
  }

  it('has every endpoint in every form, on agents and operator', async () => {
    const [agent, operator]: string[][] = [[], []];
    for (const [request] of REQUESTS) {
      agent!.push(await statusOf(agentUrl, request));
      operator!.push(await statusOf(sandbox.operatorUrl, request));
    }
    assert.deepEqual(
      agent,
      REQUESTS.map(([request, status]) => `${request}: ${status}`),
    );
    assert.deepEqual(
      operator,
      REQUESTS.map(([request, status, other]) => `${request}: ${other ?? status}`),
    );
  });

  it('answers remote read in both types', async () => {
    const query = { startMs: 0, endMs: Date.now(), matchers: [new Matcher('=', '__name__', 'up')], hints: undefined };
    for (const url of [agentUrl, sandbox.operatorUrl]) {
      for (const [type, contentType] of [
        [0, 'application/x-protobuf'],
        [1, 'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse'],
      ] as const) {
        const body = encodeReadRequest({ queries: [query], acceptedResponseTypes: [type] }, codec);
        const response = await fetch(`${url}/api/v1/read`, { method: 'POST', body: body as Uint8Array<ArrayBuffer> });
        assert.deepEqual([response.status, response.headers.get('content-type')], [OK, contentType]);
        assert.ok((await response.bytes()).length > 20);
      }
    }
  });

  it('compresses, and lets other origins ask', async () => {
    for (const url of [agentUrl, sandbox.operatorUrl]) {
      const path = '/api/v1/parse_query?query=' + encodeURIComponent(Array(60).fill('up').join('+'));
      const response = await fetch(url + path, { headers: { origin: 'http://a.b', 'accept-encoding': 'gzip' } });
      assert.equal(response.headers.get('content-encoding'), 'gzip');
      assert.equal(response.headers.get('access-control-allow-origin'), 'http://a.b');
      assert.match(await response.text(), /^\{"status":"success"/);
    }
  });
});
