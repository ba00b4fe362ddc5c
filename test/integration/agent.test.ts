/** The agent as a whole: real HTTP on both sides, a real data directory, a fake API server where one is needed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type Agent, startAgent } from '../../agent/app.ts';
import { parseFlags } from '../../agent/flags.ts';
import { type AppendFiles, createLogger, nodeFileSystem, systemClock, systemRandom } from '../../lib/env/index.ts';
import { freePort } from '../sandbox/ports.ts';
import { ManagedProcess } from '../sandbox/process.ts';
import {
  eventually as patiently,
  goodScrapesSince,
  instant,
  type InstantSample,
  PATIENCE_MS,
  SUITE_TIMEOUT_MS,
} from '../tools/prometheus-api.ts';
import { FakeApiServer, sendJson } from '../unit/kube/fake-api-server.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Valid, but not for an agent. */
const UNSERVED = '\n- job_name: files\n  file_sd_configs: [{files: [a.json]}]';

async function get<T>(url: string): Promise<T> {
  const answer = (await (await fetch(url)).json()) as { status: string; data: T; error?: string };
  assert.equal(answer.status, 'success', answer.error);
  return answer.data;
}

function eventually<T>(what: string, attempt: () => Promise<T | undefined | false>): Promise<T> {
  return patiently(what, PATIENCE_MS, attempt);
}

describe('agent', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  let exporter: Server;
  let exporterAddress: string;
  let page: string;
  let agent: Agent | undefined;
  let base: string;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-agent-'));
    page = '# TYPE requests_total counter\nrequests_total{path="/"} 1\n';
    exporter = createServer((request, response) => {
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end(request.url === '/bad' ? 'fine 1\nbroken{ 2\n' : page);
    }).listen(0, '127.0.0.1');
    await once(exporter, 'listening');
    exporterAddress = `127.0.0.1:${(exporter.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    await agent?.stop();
    agent = undefined;
    exporter.closeAllConnections();
    exporter.close();
    rmSync(dir, { recursive: true });
  });

  const config = (jobs: string, interval = '100ms'): string =>
    `global: {scrape_interval: ${interval}, scrape_timeout: ${interval}}\nscrape_configs:${jobs}\n`;
  const job = (name: string, path = '/metrics'): string => `
- job_name: ${name}
  metrics_path: ${path}
  static_configs: [{targets: ['${exporterAddress}'], labels: {node: $(NODE_NAME)}}]`;
  const configFile = (): string => join(dir, 'prometheus.yml');
  const writeConfig = (text: string): void => writeFileSync(configFile(), text);

  /** Logs that were opened. */
  let opened: string[] = [];
  const open = ((path: string, flags: string, mode: number, done: never) => {
    opened.push(path);
    nodeFileSystem.open(path, flags, mode, done);
  }) as AppendFiles['open'];

  async function start(...args: string[]): Promise<void> {
    const common = [
      `--storage.tsdb.path=${join(dir, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
      '--node-name=node-a',
    ];
    agent = await startAgent({
      flags: parseFlags([...common, ...args], {}, '1.2.3'),
      version: '1.2.3',
      clock: systemClock,
      random: systemRandom,
      files: { ...nodeFileSystem, open },
      logger: createLogger('silent'),
      env: {},
    });
    base = `http://127.0.0.1:${agent.port}`;
  }

  const startWithFile = (): Promise<void> => start(`--config.file=${configFile()}`);

  async function stop(): Promise<void> {
    await agent?.stop();
    agent = undefined;
  }

  it('scrapes, answers, and has its samples after a restart', async () => {
    writeConfig(config(job('shop')));
    await startWithFile();
    const [sample] = await eventually('a sample', async () => {
      const found = await instant(base, 'requests_total');
      return found.length > 0 && found;
    });
    const expected = { __name__: 'requests_total', path: '/', job: 'shop', instance: exporterAddress, node: 'node-a' };
    assert.deepEqual(sample!.metric, expected);
    assert.equal(sample!.value[1], '1');
    page = page.replace(' 1', ' 42');
    const [{ value }] = await eventually('the new value', async () => {
      const found = await instant(base, 'requests_total == 42');
      return found.length > 0 && (found as [InstantSample]);
    });
    const [at] = value;
    await stop();
    page = '';
    await startWithFile();
    const [after] = await instant(base, 'requests_total', at);
    assert.deepEqual(after!.metric, expected);
    assert.equal(after!.value[1], '42');
    await stop();
    await startWithFile();
    assert.deepEqual(await get(`${base}/api/v1/status/walreplay`), { min: 0, max: 1, current: 1 });
  });

  it('keeps the old configuration when a reload is refused, and says why', async () => {
    writeConfig(config(job('good')));
    await startWithFile();
    await goodScrapesSince(base, '{job="good"}', 0, 1);
    const reload = () => fetch(`${base}/-/reload`, { method: 'POST' });
    const metric = async () =>
      /^prometheus_config_last_reload_successful (\d)$/m.exec(await (await fetch(`${base}/metrics`)).text())?.[1];
    const status = () => get<{ configHash: string; configError: string }>(`${base}/api/v1/status/agent`);
    assert.equal(await metric(), '1');
    const { configHash } = await status();

    writeConfig(config(`${job('bad')}\n  relabel_configs: [{source_labels: [a], regex: '('}]`));
    const refused = await reload();
    assert.equal(refused.status, 500);
    assert.match(await refused.text(), /^failed to reload config: .*scrape_configs\[0\]\.relabel_configs\[0\]/s);
    assert.equal(await metric(), '0');
    assert.equal((await status()).configHash, configHash);
    assert.match((await status()).configError, /relabel_configs/);
    await goodScrapesSince(base, '{job="good"}', Date.now() / 1000, 1);

    writeConfig(config(`${job('fine')}${UNSERVED}`));
    assert.match(await (await reload()).text(), /job "files": file_sd_configs is not supported/);
    assert.equal((await status()).configHash, configHash);

    writeConfig(config(job('better')));
    assert.equal((await reload()).status, 200);
    assert.equal(await metric(), '1');
    await eventually('the new job', async () => (await instant(base, 'up{job="better"} == 1')).length > 0);
    await eventually('the old job ends', async () => (await instant(base, 'up{job="good"}')).length === 0);
    const { yaml } = await get<{ yaml: string }>(`${base}/api/v1/status/config`);
    assert.match(yaml, /job_name: better/);
  });

  it('opens the query log anew with each reload, once', async () => {
    opened = [];
    const logAt = (name: string): string => `global: {query_log_file: ${name}}\n`;
    const reload = async (): Promise<number> => (await fetch(`${base}/-/reload`, { method: 'POST' })).status;
    writeConfig(logAt('queries.log'));
    await startWithFile();
    assert.equal(await reload(), 200);
    writeConfig(logAt('other.log'));
    assert.equal(await reload(), 200);
    writeConfig(logAt('missing/queries.log'));
    assert.equal(await reload(), 500);
    const names = ['queries.log', 'queries.log', 'other.log', 'missing/queries.log'];
    assert.deepEqual(
      opened,
      names.map((name) => join(dir, name)),
    );
  });

  it('does not start with a configuration file that is not valid', async () => {
    writeConfig('scrape_configs: 7\n');
    await assert.rejects(startWithFile(), /expected a list/);
    await assert.rejects(start('--config.file=/nowhere.yml'), { code: 'config/unreadable' });
    writeConfig(config(job('shop')));
    await startWithFile();
  });

  it('shows a malformed page in its target and leaves the other targets alone', async () => {
    // One scrape of each, which may take as long as it likes.
    writeConfig(config(job('good') + job('bad', '/bad'), '2m'));
    await startWithFile();
    await eventually('both scraped', async () => (await instant(base, 'up')).length === 2);
    assert.equal((await instant(base, 'up{job="bad"} == 0')).length, 1);
    assert.equal((await instant(base, 'up{job="good"} == 1')).length, 1);
    assert.equal((await instant(base, 'fine')).length, 0, 'all of a page or nothing');
    const { activeTargets } = await get<{ activeTargets: { scrapePool: string; health: string; lastError: string }[] }>(
      `${base}/api/v1/targets`,
    );
    const bad = activeTargets.find(({ scrapePool }) => scrapePool === 'bad')!;
    assert.equal(bad.health, 'down');
    assert.notEqual(bad.lastError, '');
    const { targets } = await get<{ targets: object }>(`${base}/api/v1/status/agent`);
    assert.deepEqual(targets, { good: { up: 1, total: 1 }, bad: { up: 0, total: 1 } });
  });

  describe('with its configuration in a Secret', () => {
    let api: FakeApiServer;
    let kubeconfig: string;
    let secret: object | undefined;
    let pods: object[];
    let version: number;
    /** Open watches by resource. */
    let watches: Map<string, ServerResponse>;

    beforeEach(async () => {
      api = new FakeApiServer();
      secret = undefined;
      pods = [];
      version = 10;
      watches = new Map();
      api.handler = ({ path, query }, response) => {
        const resource = path.split('/').at(-1)!;
        if (query.has('watch')) {
          response.writeHead(200).flushHeaders();
          watches.set(resource, response);
          return;
        }
        const items = resource === 'pods' ? pods : secret === undefined ? [] : [secret];
        sendJson(response, 200, { metadata: { resourceVersion: String(version) }, items });
      };
      const server = await api.listen();
      kubeconfig = join(dir, 'kubeconfig');
      writeFileSync(
        kubeconfig,
        `current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: '${server}'}}]
users: [{name: u, user: {}}]
`,
      );
    });

    afterEach(() => api.close());

    const startWithSecret = (): Promise<void> =>
      start(`--kubeconfig=${kubeconfig}`, '--kube.config-secret=promlet/config');

    async function publish(text: string): Promise<void> {
      secret = {
        metadata: { namespace: 'promlet', name: 'config', resourceVersion: String(++version) },
        data: { 'prometheus.yaml.gz': gzipSync(text).toString('base64') },
      };
      const watch = await eventually('the watch', () => Promise.resolve(watches.get('secrets')));
      watch.write(`${JSON.stringify({ type: 'MODIFIED', object: secret })}\n`);
    }

    const status = () =>
      get<{ configHash: string; configSource: string; configError: string }>(`${base}/api/v1/status/agent`);

    it('is ready without one, applies it when it comes, refuses a bad one', async () => {
      await startWithSecret();
      assert.equal((await fetch(`${base}/-/ready`)).status, 200);
      assert.equal((await status()).configHash, '');
      await publish(config(job('first')));
      await eventually('the first job', async () => (await instant(base, 'up{job="first"} == 1')).length > 0);
      await publish(config(job('second')));
      await eventually('the second job', async () => (await instant(base, 'up{job="second"} == 1')).length > 0);
      const { configHash, configSource } = await status();
      assert.equal(configSource, 'secret promlet/config');
      await publish('scrape_configs: 7');
      await eventually('the refusal', async () => /expected a list/.test((await status()).configError));
      assert.equal((await status()).configHash, configHash);
    });

    it('leaves out a job that it cannot serve, says so, and scrapes the others', async () => {
      await startWithSecret();
      const left = async () =>
        /^promlet_config_jobs_left_out (\d)$/m.exec(await (await fetch(`${base}/metrics`)).text())?.[1];
      const errors = async () => (await get<{ jobErrors: object }>(`${base}/api/v1/status/agent`)).jobErrors;
      await publish(config(UNSERVED + job('good')));
      await eventually('the good job', async () => (await instant(base, 'up{job="good"} == 1')).length > 0);
      assert.deepEqual(await errors(), { files: 'file_sd_configs is not supported yet' });
      assert.equal((await status()).configError, '');
      assert.equal(await left(), '1');

      await publish(config(`${job('good')}${UNSERVED}`) + 'rule_files: [a.yml]\n');
      await eventually('the refusal', async () => /rule_files/.test((await status()).configError));
      assert.deepEqual(await errors(), { files: 'file_sd_configs is not supported yet' });

      await publish(config(job('good')));
      await eventually('no job left out', async () => (await left()) === '0');
      assert.deepEqual(await errors(), {});
    });

    it('scrapes from the last good configuration when the API server is away at start, and comes back to it', async () => {
      await startWithSecret();
      await publish(config(job('shop')));
      await eventually('the job', async () => (await instant(base, 'up{job="shop"} == 1')).length > 0);
      await publish('not: [a, config');
      await eventually('the refusal', async () => (await status()).configError !== '');
      await stop();
      const { handler } = api;
      api.handler = (_, response) => void response.destroy();
      await startWithSecret();
      await goodScrapesSince(base, '{job="shop"}', Date.now() / 1000, 1);
      assert.match((await status()).configSource, /^last good copy/);
      watches.clear();
      secret = undefined;
      api.handler = handler;
      await publish(config(job('later')));
      await eventually('the later job', async () => (await instant(base, 'up{job="later"} == 1')).length > 0);
    });

    it('discovers a pod of its node and goes on while the API server is away', async () => {
      await startWithSecret();
      await publish(
        config(`
- job_name: pods
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs: [{source_labels: [__meta_kubernetes_pod_name], target_label: pod}]`),
      );
      const watch = await eventually('the watch of pods', () => Promise.resolve(watches.get('pods')));
      const [host, port] = exporterAddress.split(':');
      const object = {
        metadata: { namespace: 'shop', name: 'web-1', uid: 'u', resourceVersion: String(++version) },
        spec: { nodeName: 'node-a', containers: [{ name: 'c', image: 'i', ports: [{ containerPort: Number(port) }] }] },
        status: { phase: 'Running', podIP: host },
      };
      watch.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
      await eventually('the pod', async () => (await instant(base, 'up{pod="web-1"} == 1')).length > 0);
      api.handler = (_, response) => void response.destroy();
      api.dropConnections();
      const errors = () => get<{ discoveryErrors: string[] }>(`${base}/api/v1/status/agent`);
      await eventually('the loss is seen', async () => (await errors()).discoveryErrors.length > 0);
      await goodScrapesSince(base, '{pod="web-1"}', Date.now() / 1000, 1);
    });
  });

  it('as a process: SIGHUP reloads, SIGTERM stops it cleanly and frees the data directory', async () => {
    writeConfig(config(job('one')));
    const port = await freePort();
    base = `http://127.0.0.1:${port}`;
    const child = await ManagedProcess.start({
      name: 'agent',
      command: process.execPath,
      args: [
        join(ROOT, 'agent', 'main.ts'),
        `--config.file=${configFile()}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--node-name=node-a',
      ],
      logFile: join(dir, 'agent.log'),
    });
    try {
      await child.waitUntilOk(`${base}/-/ready`);
      await eventually('up', async () => (await instant(base, 'up{job="one"} == 1')).length > 0);
      writeConfig(config(job('two')));
      process.kill(child.pid, 'SIGHUP');
      await eventually('the new job', async () => (await instant(base, 'up{job="two"} == 1')).length > 0);
    } finally {
      await child.stop('SIGTERM');
    }
    assert.equal(child.exitCode, 0);
    assert.ok(existsSync(join(dir, 'data', 'wal')));
    await startWithFile();
    assert.ok((await instant(base, 'last_over_time(up{job="one"}[1h])')).length > 0);
  });
});
