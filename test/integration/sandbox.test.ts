import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { compareUtf8 } from '../../lib/model/index.ts';
import { ManagedProcess } from '../sandbox/process.ts';
import { MANIFESTS, PROMLET_NAMESPACE, Sandbox, type SandboxAgent } from '../sandbox/sandbox.ts';
import { pod } from '../sandbox/objects.ts';
import { needPeer, peer } from '../tools/peers.ts';
import {
  call,
  eventually,
  goodScrapesSince,
  instant,
  type InstantSample,
  PATIENCE_MS,
  raw,
  type RawSeries,
  SUITE_TIMEOUT_MS,
} from '../tools/prometheus-api.ts';

const run = promisify(execFile);

interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly health: string;
  readonly lastError: string;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

describe('the sandbox cluster', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  let sandbox: Sandbox;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-sandbox-'));
    sandbox = await Sandbox.create({ dir });
    await Promise.all([
      sandbox.startOperator(),
      sandbox.startAgent('node-a'),
      sandbox.startAgent('node-b'),
      ...['node-a', 'node-b'].flatMap((node) =>
        ['frontend', 'cart'].map((app) => sandbox.addWorkload({ app, node, namespace: 'shop' })),
      ),
    ]);
    sandbox.applyManifest('cart-podmonitor.yaml');
  });

  after(async () => {
    await sandbox?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const kubectl = async (test: Mocha.Context, ...args: string[]): Promise<string> =>
    (await run(needPeer(test, 'kubectl'), [`--kubeconfig=${sandbox.kubeconfigFile}`, ...args])).stdout;

  it('scrapes a ServiceMonitor on both nodes that kubectl applies', async function () {
    await kubectl(this, 'apply', '-f', join(MANIFESTS, 'frontend-servicemonitor.yaml'));
    await eventually('both frontends up in the federated answer', PATIENCE_MS, async () => {
      const samples = await instant(sandbox.operatorUrl, 'up{job="frontend"} == 1');
      return samples.length === 2;
    });
  });

  it('gives the final labels that prometheus-operator gives, and the node', async () => {
    const [sample] = await wholeInstant(sandbox, 'up{job="frontend", node="node-a"}');
    const { instance, ...labels } = sample!.metric;
    assert.match(instance!, /^127\.0\.0\.1:\d+$/);
    assert.deepEqual(labels, {
      __name__: 'up',
      job: 'frontend',
      namespace: 'shop',
      service: 'frontend',
      pod: 'frontend-node-a',
      container: 'frontend',
      endpoint: 'http',
      node: 'node-a',
    });
  });

  it('answers a federated sum by (job) (rate()) with the value of the agents’ raw samples', async () => {
    const selector = 'shop_http_requests_total[10s]';
    const query = `sum by (job) (rate(${selector}))`;
    const { atSeconds, expected } = await eventually(
      'enough samples for a rate of both jobs',
      PATIENCE_MS,
      async () => {
        const agents = [...sandbox.agents.values()];
        const stored = await Promise.all(agents.map(storedUntil));
        if (!stored.every((seconds) => seconds !== undefined)) return undefined;
        const atSeconds = Math.min(...stored);
        const perAgent = await Promise.all(agents.map(({ url }) => raw(url, selector, atSeconds)));
        const rates = ratesByJob(perAgent.flat(), atSeconds - 10, atSeconds);
        return rates.size === 2 && perAgent.every((series) => series.length >= 8) && { atSeconds, expected: rates };
      },
    );
    const answer = await wholeInstant(sandbox, query, atSeconds);
    assert.equal(answer.length, 2);
    for (const { metric, value } of answer) {
      const rate = expected.get(metric['job']!)!;
      assert.ok(rate > 0, `${metric['job']} has a rate`);
      assert.ok(Math.abs(Number(value[1]) - rate) <= 1e-12 * rate, `${metric['job']}: ${value[1]} and ${rate}`);
    }
  });

  it('merges series, label names, label values and targets of both agents', async () => {
    const series = await whole<Record<string, string>[]>(sandbox, 'series', { 'match[]': 'up' });
    assert.deepEqual(new Set(series.map((labels) => labels['node'])), new Set(['node-a', 'node-b']));
    assert.deepEqual(await whole<string[]>(sandbox, 'label/node/values'), ['node-a', 'node-b']);
    const names = await whole<string[]>(sandbox, 'labels');
    for (const name of ['__name__', 'job', 'le', 'node', 'pod']) assert.ok(names.includes(name), name);
    const pods = (await wholeTargets(sandbox)).map(({ labels }) => labels['pod']!);
    assert.deepEqual(pods.sort(compareUtf8), ['cart-node-a', 'cart-node-b', 'frontend-node-a', 'frontend-node-b']);
  });

  it('publishes a config that promtool accepts', async function () {
    const promtool = needPeer(this, 'promtool');
    const secret = JSON.parse(
      await kubectl(this, 'get', 'secret', '-n', PROMLET_NAMESPACE, 'promlet-agent-config', '-o', 'json'),
    ) as { data: Record<string, string> };
    const yaml = gunzipSync(Buffer.from(secret.data['prometheus.yaml.gz']!, 'base64'));
    assert.match(yaml.toString(), /job_name: serviceMonitor\/shop\/frontend\/0/);
    const file = join(dir, 'published.yaml');
    writeFileSync(file, yaml);
    const { stdout } = await run(promtool, ['check', 'config', file]);
    assert.match(stdout, /SUCCESS/);
  });

  it('rejects a monitor with an invalid regex by a condition, and scrapes the others on', async () => {
    const meta = { name: 'broken', namespace: 'shop' };
    const metricRelabelings = [{ sourceLabels: ['__name__'], regex: 'a(', action: 'drop' }];
    sandbox.api.apply({
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'ServiceMonitor',
      metadata: meta,
      spec: { selector: { matchLabels: { app: 'cart' } }, endpoints: [{ port: 'http', metricRelabelings }] },
    });
    const accepted = await eventually('a condition on the monitor', PATIENCE_MS, async () => {
      const monitor = sandbox.api.get('monitoring.coreos.com/v1', 'ServiceMonitor', 'broken', 'shop');
      const { conditions } = (monitor?.['status'] ?? {}) as { conditions?: Condition[] };
      return conditions?.find((condition) => condition.type === 'Accepted');
    });
    assert.equal(accepted.status, 'False');
    assert.match(accepted.message!, /a\(/);
    await goodScrapesSince(sandbox.operatorUrl, '{job="frontend"}', Date.now() / 1000, 2);
    sandbox.api.delete('monitoring.coreos.com/v1', 'ServiceMonitor', 'broken', 'shop');
  });

  describe('with a target that answers garbage', () => {
    let page: Server;

    before(async () => {
      page = createServer((_request, response) => {
        response.setHeader('content-type', 'text/plain; version=0.0.4');
        response.end('good_metric 1\nbad metric{ 2\n');
      });
      await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
      const { port } = page.address() as { port: number };
      const labels = { app: 'cart' };
      sandbox.api.apply(
        pod({ name: 'garbage', namespace: 'shop', nodeName: 'node-a', labels, portName: 'http', port }),
      );
    });

    after(() => {
      sandbox.api.delete('v1', 'Pod', 'garbage', 'shop');
      page.close();
      page.closeAllConnections();
    });

    it('says line and reason in lastError, sets up to 0, and leaves other targets alone', async () => {
      await eventually('the fault of the page in the target', PATIENCE_MS, async () => {
        const { data } = await call<{ activeTargets: Target[] }>(sandbox.agent('node-a').url, 'targets');
        // Of the scrapes here that come too late, it is another.
        return data.activeTargets.some(
          ({ labels, health, lastError }) =>
            labels['pod'] === 'garbage' && health === 'down' && /line 2/.test(lastError),
        );
      });
      await goodScrapesSince(sandbox.operatorUrl, '{pod="cart-node-a"}', Date.now() / 1000, 1);
      const [garbage] = await wholeInstant(sandbox, 'up{pod="garbage"}');
      assert.equal(garbage!.value[1], '0');
      assert.deepEqual(await wholeInstant(sandbox, 'good_metric'), []);
    });
  });

  it('marks the series of a deleted monitor stale and drops its targets', async function () {
    await kubectl(this, 'delete', 'servicemonitor', '-n', 'shop', 'frontend');
    await eventually('no frontend targets', PATIENCE_MS, async () => {
      const targets = await wholeTargets(sandbox);
      return !targets.some((target) => target.labels['job'] === 'frontend');
    });
    // Well inside the 5 min lookback: only a staleness marker can end the series for an instant query.
    await eventually('an empty instant answer', PATIENCE_MS, async () => {
      return (await wholeInstant(sandbox, '{job="frontend"}')).length === 0;
    });
    const history = await wholeInstant(sandbox, 'count_over_time(up{job="frontend"}[1h])');
    assert.equal(history.length, 2, 'the samples themselves are kept');
  });

  it('answers with the other node’s data and a warning naming the node when an agent is down', async () => {
    await sandbox.agent('node-b').process!.stop('SIGKILL');
    const query = { query: 'count by (node) (up)' };
    const { data, warnings } = await eventually('an answer of node-a', PATIENCE_MS, async () => {
      const answer = await call<{ result: InstantSample[] }>(sandbox.operatorUrl, 'query', query);
      return !answer.warnings.some((warning) => warning.includes('node-a')) && answer;
    });
    assert.deepEqual(
      data.result.map(({ metric }) => metric['node']),
      ['node-a'],
    );
    assert.ok(
      warnings.some((warning) => warning.includes('node-b')),
      JSON.stringify(warnings),
    );
    await assert.rejects(call(sandbox.operatorUrl, 'query', { ...query, partial_response: 'false' }), /node-b/);
    await sandbox.startAgent('node-b');
    await eventually('both nodes again', PATIENCE_MS, async () => {
      return (await instant(sandbox.operatorUrl, 'count by (node) (up)')).length === 2;
    });
  });

  it('goes on scraping, answering and discovering while the operator is stopped', async () => {
    await sandbox.stopOperator();
    const { url } = sandbox.agent('node-a');
    const { port } = extraPod(sandbox, 'cart-late');
    await eventually('the late pod scraped without the operator', PATIENCE_MS, async () => {
      const samples = await instant(url, 'up{pod="cart-late"} == 1');
      return samples.length === 1 && samples[0]!.metric['instance'] === `127.0.0.1:${port}`;
    });
    sandbox.api.delete('v1', 'Pod', 'cart-late', 'shop');
  });

  it('scrapes from the last good config after a restart without operator and API server', async () => {
    await sandbox.api.stop();
    const agent = sandbox.agent('node-a');
    await agent.process!.stop('SIGKILL');
    const restartedAtSeconds = Date.now() / 1000;
    await sandbox.startAgent('node-a');
    await goodScrapesSince(agent.url, '{job="shop/cart", pod="cart-node-a"}', restartedAtSeconds, 1);
    await sandbox.api.start();
    await sandbox.startOperator();
    await eventually('the operator’s federated answer again', PATIENCE_MS, async () => {
      return (await instant(sandbox.operatorUrl, 'count by (node) (up)')).length === 2;
    });
  });
});

/** The federated answer of all nodes: one that is slow today would only be named in a warning. */
function whole<T>(sandbox: Sandbox, path: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
  return eventually(`an answer of all nodes to ${path}`, PATIENCE_MS, async () => {
    return (await call<T>(sandbox.operatorUrl, path, { ...parameters, partial_response: 'false' })).data;
  });
}

async function wholeInstant(sandbox: Sandbox, query: string, timeSeconds?: number): Promise<InstantSample[]> {
  const parameters = { query, ...(timeSeconds === undefined ? {} : { time: String(timeSeconds) }) };
  return (await whole<{ result: InstantSample[] }>(sandbox, 'query', parameters)).result;
}

async function wholeTargets(sandbox: Sandbox): Promise<Target[]> {
  return (await whole<{ activeTargets: Target[] }>(sandbox, 'targets')).activeTargets;
}

/**
 * Seconds up to which all samples of an agent's two targets are stored: a target's next scrape begins when the one before is.
 * Undefined as long as one of them was never scraped.
 */
async function storedUntil({ url }: SandboxAgent): Promise<number | undefined> {
  const newest = await instant(url, 'timestamp(up)');
  return newest.length < 2 ? undefined : Math.floor(Math.min(...newest.map(({ value }) => Number(value[1]))));
}

/** A second cart pod on node-a that shares the first one's process: only its Pod object is new. */
function extraPod(sandbox: Sandbox, name: string): { port: number } {
  const existing = sandbox.api.get('v1', 'Pod', 'cart-node-a', 'shop')!;
  const { containers } = existing['spec'] as { containers: { ports: { containerPort: number }[] }[] };
  const port = containers[0]!.ports[0]!.containerPort;
  sandbox.api.apply(
    pod({ name, namespace: 'shop', nodeName: 'node-a', labels: { app: 'cart' }, portName: 'http', port }),
  );
  return { port };
}

/**
 * Prometheus's extrapolated rate (promql/functions.go, extrapolatedRate), written out once more for counters over
 * (startSeconds, endSeconds], and summed by job.
 */
function ratesByJob(series: readonly RawSeries[], startSeconds: number, endSeconds: number): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { metric, values } of series) {
    if (values.length < 2) continue;
    const job = metric['job']!;
    sums.set(job, (sums.get(job) ?? 0) + extrapolatedRate(values, startSeconds, endSeconds));
  }
  return sums;
}

function extrapolatedRate(values: RawSeries['values'], startSeconds: number, endSeconds: number): number {
  // Differences of whole milliseconds are exact; those of seconds since 1970 lose seven digits.
  const timesMs = values.map(([seconds]) => Math.round(seconds * 1000));
  const counts = values.map(([, value]) => Number(value));
  const firstMs = timesMs[0]!;
  const lastMs = timesMs.at(-1)!;
  let increase = counts.at(-1)! - counts[0]!;
  for (let i = 1; i < counts.length; i++) if (counts[i]! < counts[i - 1]!) increase += counts[i - 1]!;
  const sampled = (lastMs - firstMs) / 1000;
  const averageGap = sampled / (values.length - 1);
  const threshold = averageGap * 1.1;
  let toStart = (firstMs - startSeconds * 1000) / 1000;
  let toEnd = (endSeconds * 1000 - lastMs) / 1000;
  if (toStart >= threshold) toStart = averageGap / 2;
  if (increase > 0 && counts[0]! >= 0) toStart = Math.min(toStart, sampled * (counts[0]! / increase));
  if (toEnd >= threshold) toEnd = averageGap / 2;
  return (increase * ((sampled + toStart + toEnd) / sampled)) / (endSeconds - startSeconds);
}

describe('npm start', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-start-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('with --once prints the first federated answer of both nodes and exits 0', async () => {
    const { stdout } = await run(process.execPath, ['test/sandbox/main.ts', '--once', `--dir=${dir}`]);
    for (const job of ['frontend', 'shop/cart']) {
      for (const node of ['node-a', 'node-b']) {
        assert.match(stdout, new RegExp(`job="${job}", node="${node}"\\}\\s+\\d+\\.\\d+`));
      }
    }
    if (peer('node-exporter') !== undefined) assert.match(stdout, /monitoring\/node-exporter-node-a/);
  });

  it('ends with a tour that works, and Ctrl-C stops every process', async function () {
    const kubectl = needPeer(this, 'kubectl');
    const args = ['test/sandbox/main.ts', `--dir=${dir}`];
    const logFile = join(dir, 'start.log');
    const main = await ManagedProcess.start({ name: 'npm start', command: process.execPath, args, logFile });
    let pids: number[];
    try {
      const [printed, tour] = await main.waitForOutput(
        /^[^]*(A short tour[^]*promtool query instant)/,
        3 * PATIENCE_MS,
      );
      pids = [...printed.matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
      const server = /--server=\S+/.exec(tour!)![0];
      const { stdout } = await run(kubectl, [server, 'get', 'servicemonitors,pods', '-A']);
      assert.match(stdout, /^shop +servicemonitor\.monitoring\.coreos\.com\/frontend /m);
      assert.match(stdout, /^shop +pod\/cart-node-b +1\/1 +Running/m);
      const operatorUrl = /curl -s '(\S+)\/api\/v1\/query'/.exec(tour!)![1]!;
      await run(kubectl, [server, 'apply', '-f', join(MANIFESTS, 'checkout-servicemonitor.yaml')]);
      await eventually('the monitor of the tour scraped', PATIENCE_MS, async () => {
        return (await instant(operatorUrl, 'up{job="checkout"} == 1')).length === 2;
      });
    } finally {
      // It gives its own processes as long to end.
      await main.stop('SIGINT', 2 * PATIENCE_MS);
    }
    assert.equal(main.exitCode, 0);
    assert.equal(pids.length, 3, 'the operator and two agents say their pids');
    for (const pid of pids) assert.throws(() => process.kill(pid, 0), /ESRCH/, `process ${pid} is gone`);
  });
});
