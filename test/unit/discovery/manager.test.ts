import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { DiscoveryManager } from '../../../agent/discovery/index.ts';
import { parseConfig, type ScrapeConfig, type TargetGroup } from '../../../lib/config/index.ts';
import { type Clock, createLogger, seededRandom, systemClock } from '../../../lib/env/index.ts';
import { createKubeClient, type KubeClient } from '../../../lib/kube/index.ts';
import { until } from '../../tools/until.ts';
import { FakeApiServer, sendJson } from '../kube/fake-api-server.ts';

const text = readFileSync(fileURLToPath(new URL('fixtures/cluster.json', import.meta.url)), 'utf8');
const cluster = JSON.parse(text) as Record<string, { metadata: { name: string; resourceVersion: string } }[]>;

async function jobs(yaml: string): Promise<readonly ScrapeConfig[]> {
  return (await parseConfig(yaml)).scrape_configs;
}

describe('discovery manager', () => {
  let server: FakeApiServer;
  let client: KubeClient;
  let manager: DiscoveryManager;
  let groups: Map<string, readonly TargetGroup[]>;
  let calls: number;
  /** Open watches by resource. */
  let watches: Map<string, ServerResponse>;

  beforeEach(async () => {
    server = new FakeApiServer();
    watches = new Map();
    server.handler = ({ path, query }, response) => {
      const resource = path.split('/').at(-1)!;
      if (query.has('watch')) {
        response.writeHead(200).flushHeaders();
        watches.set(resource, response);
      } else sendJson(response, 200, { metadata: { resourceVersion: '200' }, items: cluster[resource] ?? [] });
    };
    client = await createKubeClient({ server: await server.listen() });
    groups = new Map();
    calls = 0;
    manager = newManager('node-a');
  });

  afterEach(async () => {
    await manager.stop();
    client.close();
    await server.close();
  });

  function newManager(nodeName: string | undefined, clock: Clock = systemClock): DiscoveryManager {
    return new DiscoveryManager({
      nodeName,
      client: () => Promise.resolve(client),
      clock,
      random: seededRandom(1),
      logger: createLogger('silent'),
      onGroups: (job, next) => {
        groups.set(job, next);
        calls++;
      },
    });
  }

  async function apply(yaml: string): Promise<void> {
    const configs = await jobs(yaml);
    for (const config of configs) await manager.check(config);
    await manager.apply(configs);
  }

  const addresses = (job: string): string[] =>
    (groups.get(job) ?? []).flatMap(({ targets }) => targets.map((target) => target.get('__address__'))).sort();

  it('has static targets at once', async () => {
    await apply(`
scrape_configs:
- job_name: a
  static_configs: [{targets: ['h:1', 'h:2'], labels: {team: x}}, {targets: ['h:3']}]
`);
    assert.deepEqual(addresses('a'), ['h:1', 'h:2', 'h:3']);
    assert.equal(groups.get('a')![0]!.labels.get('team'), 'x');
    assert.equal(server.requests.length, 0);
  });

  it('asks only for pods of its own node, within the namespaces and selectors given', async () => {
    await apply(`
scrape_configs:
- job_name: pods
  kubernetes_sd_configs:
  - role: pod
    namespaces: {names: [shop], own_namespace: true}
    selectors: [{role: pod, label: 'app=web', field: 'status.phase=Running'}]
`);
    await until(() => server.requests.length >= 4);
    const lists = server.requests.filter(({ query }) => !query.has('watch'));
    assert.deepEqual(lists.map(({ path }) => path).sort(), [
      '/api/v1/namespaces/default/pods',
      '/api/v1/namespaces/shop/pods',
    ]);
    for (const { query } of lists) {
      assert.equal(query.get('fieldSelector'), 'spec.nodeName=node-a,status.phase=Running');
      assert.equal(query.get('labelSelector'), 'app=web');
    }
  });

  it('shares reflectors between jobs and keeps them over a reload', async () => {
    const job = (name: string, role: string) => `
- job_name: ${name}
  kubernetes_sd_configs: [{role: ${role}}]`;
    await apply(`scrape_configs:${job('a', 'pod')}${job('b', 'endpoints')}${job('c', 'endpointslice')}`);
    await until(() => ['a', 'b', 'c'].every((name) => addresses(name).length > 0));
    await apply(`scrape_configs:${job('c', 'endpointslice')}${job('d', 'endpoints')}`);
    assert.ok(addresses('d').length > 0, 'known at once');
    await until(() => watches.size === 2);
    const paths = server.requests.map(({ path, query }) => `${query.has('watch') ? 'watch' : 'list'} ${path}`);
    assert.deepEqual(paths.sort(), [
      'list /api/v1/pods',
      'list /api/v1/services',
      'watch /api/v1/pods',
      'watch /api/v1/services',
    ]);
  });

  it('passes on a burst of pod events as one change', async () => {
    const timers = new Set<() => void>();
    const setTimer = (callback: () => void) => {
      timers.add(callback);
      return { cancel: () => timers.delete(callback) };
    };
    manager = newManager('node-a', { ...systemClock, setTimer });
    await apply('scrape_configs: [{job_name: pods, kubernetes_sd_configs: [{role: pod}]}]');
    const fire = (): void => {
      assert.equal(timers.size, 1);
      const [callback] = timers;
      timers.clear();
      callback!();
    };
    await until(() => watches.has('pods'));
    fire();
    await until(() => addresses('pods').length > 0);
    const before = { calls, targets: addresses('pods').length };
    const [pod] = cluster['pods']!;
    const stream = watches.get('pods')!;
    for (let i = 0; i < 50; i++) {
      const object = { ...pod, metadata: { ...pod!.metadata, name: `new-${i}`, resourceVersion: `${300 + i}` } };
      stream.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
    }
    stream.end();
    // All of them were read when the watch goes on behind the last one.
    await until(() => server.requests.at(-1)!.query.get('resourceVersion') === '349');
    fire();
    await until(() => calls > before.calls);
    assert.equal(addresses('pods').length, before.targets + 50 * 4);
    assert.equal(calls, before.calls + 1);
  });

  it('follows a Service that begins and ceases to select', async () => {
    await apply('scrape_configs: [{job_name: e, kubernetes_sd_configs: [{role: endpoints}]}]');
    await until(() => addresses('e').length > 0);
    const sources = () => groups.get('e')!.map(({ source }) => source);
    assert.ok(sources().includes('endpoints/shop/six'));
    const six = cluster['services']!.find(({ metadata }) => metadata.name === 'six') as unknown as {
      metadata: object;
      spec: object;
    };
    const object = {
      ...six,
      metadata: { ...six.metadata, resourceVersion: '301' },
      spec: { ...six.spec, selector: { app: 'nobody' } },
    };
    await until(() => watches.has('services'));
    watches.get('services')!.write(`${JSON.stringify({ type: 'MODIFIED', object })}\n`);
    await until(() => !sources().includes('endpoints/shop/six'));
    watches
      .get('services')!
      .write(
        `${JSON.stringify({ type: 'MODIFIED', object: { ...six, metadata: { ...six.metadata, resourceVersion: '302' } } })}\n`,
      );
    await until(() => sources().includes('endpoints/shop/six'));
  });

  it('keeps the targets of a job while its new selection is not known yet', async () => {
    await apply('scrape_configs: [{job_name: pods, kubernetes_sd_configs: [{role: pod}]}]');
    await until(() => addresses('pods').length > 0);
    const before = addresses('pods');
    server.handler = () => undefined;
    await apply('scrape_configs: [{job_name: pods, kubernetes_sd_configs: [{role: pod, namespaces: {names: [x]}}]}]');
    assert.deepEqual(addresses('pods'), before);
  });

  it('passes on nothing after stop', async () => {
    await apply('scrape_configs: [{job_name: pods, kubernetes_sd_configs: [{role: pod}]}]');
    await until(() => addresses('pods').length > 0);
    const before = calls;
    await manager.stop();
    assert.equal(calls, before);
    assert.ok(addresses('pods').length > 0);
  });

  describe('refuses a job that it does not serve', () => {
    const cases: readonly [string, RegExp][] = [
      ['kubernetes_sd_configs: [{role: node}]', /role "node" is not served/],
      ['kubernetes_sd_configs: [{role: service}]', /role "service" is not served/],
      ['kubernetes_sd_configs: [{role: pod, attach_metadata: {namespace: true}}]', /attach_metadata.namespace/],
      ['kubernetes_sd_configs: [{role: pod, api_server: "http://other"}]', /api_server/],
      ['kubernetes_sd_configs: [{role: endpoints, selectors: [{role: endpoints, label: a=b}]}]', /selector of role/],
      ['file_sd_configs: [{files: [a.json]}]', /file_sd_configs is not supported/],
    ];
    for (const [sd, message] of cases) {
      it(sd, async () => {
        const [config] = await jobs(`scrape_configs: [{job_name: x, ${sd}}]`);
        await assert.rejects(manager.check(config!), { code: 'discovery/unsupported', message });
      });
    }

    it('pods without a node name', async () => {
      const [config] = await jobs('scrape_configs: [{job_name: x, kubernetes_sd_configs: [{role: pod}]}]');
      await assert.rejects(newManager(undefined).check(config!), /--node-name/);
    });
  });
});
