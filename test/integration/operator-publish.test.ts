/** The operator against an API server: what it writes into the config Secret and onto the monitors. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { parse } from 'yaml';
import { createLogger, systemClock } from '../../lib/env/index.ts';
import { type Operator, parseFlags, startOperator } from '../../operator/app/index.ts';
import { type ApiServer, type KubeObject, type Manifest, startApiServer } from '../sandbox/apiserver/index.ts';
import { eventually, PATIENCE_MS, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';

const crds = new URL('../../crds/', import.meta.url);

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

describe('the operator', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let api: ApiServer;
  const operators: Operator[] = [];

  async function startOne(identity = 'one'): Promise<Operator> {
    const flags = parseFlags([`--apiserver=${api.url}`, '--web.listen-address=127.0.0.1:0']);
    const logger = createLogger('silent');
    const operator = await startOperator({ flags, version: 'test', logger, clock: systemClock, identity });
    operators.push(operator);
    return operator;
  }

  async function stopOne(operator: Operator): Promise<void> {
    operators.splice(operators.indexOf(operator), 1);
    await operator.stop();
  }

  function installCrds(): void {
    for (const file of readdirSync(crds)) api.apply(parse(readFileSync(new URL(file, crds), 'utf8')) as Manifest);
  }

  function serviceMonitor(name: string, endpoint: object, extra: object = {}): void {
    api.apply({
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'ServiceMonitor',
      metadata: { namespace: 'shop', name },
      spec: { selector: { matchLabels: { app: name } }, endpoints: [endpoint], ...extra },
    });
  }

  function configSecret(): KubeObject | undefined {
    return api.get('v1', 'Secret', 'promlet-agent-config', 'promlet');
  }

  function publishedYaml(): string {
    const data = configSecret()?.['data'] as Record<string, string> | undefined;
    return data === undefined ? '' : gunzipSync(Buffer.from(data['prometheus.yaml.gz']!, 'base64')).toString();
  }

  function publishedJobs(): string[] {
    const config = parse(publishedYaml()) as { scrape_configs?: { job_name: string }[] } | null;
    return (config?.scrape_configs ?? []).map((job) => job.job_name);
  }

  function published(jobs: readonly string[]): Promise<unknown> {
    return eventually(`jobs ${jobs.join(', ')}`, PATIENCE_MS, async () => {
      return configSecret() !== undefined && publishedJobs().join() === jobs.join();
    });
  }

  function accepted(name: string): Condition | undefined {
    const object = api.get('monitoring.coreos.com/v1', 'ServiceMonitor', name, 'shop');
    const status = object?.['status'] as { conditions?: Condition[] } | undefined;
    return status?.conditions?.find(({ type }) => type === 'Accepted');
  }

  function judged(name: string, status: string): Promise<Condition> {
    return eventually(`${name} Accepted ${status}`, PATIENCE_MS, async () => {
      const condition = accepted(name);
      return condition?.status === status && condition;
    });
  }

  beforeEach(async () => {
    api = await startApiServer();
    for (const name of ['promlet', 'shop']) api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  });

  afterEach(async () => {
    await Promise.all(operators.splice(0).map((operator) => operator.stop()));
    await api.close();
  });

  it('publishes the jobs of the monitors and says so on each', async () => {
    installCrds();
    serviceMonitor('frontend', { port: 'http' });
    api.apply({
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'PodMonitor',
      metadata: { namespace: 'shop', name: 'cart' },
      spec: { selector: {}, podMetricsEndpoints: [{ port: 'http' }, { port: 'admin' }] },
    });
    await startOne();
    await published(['serviceMonitor/shop/frontend/0', 'podMonitor/shop/cart/0', 'podMonitor/shop/cart/1']);
    const condition = await judged('frontend', 'True');
    assert.equal(condition.reason, 'Accepted');
    assert.equal(condition.observedGeneration, 1);
  });

  it('follows changes and deletions, and writes nothing when nothing changed', async () => {
    installCrds();
    serviceMonitor('a', { port: 'http' });
    await startOne();
    await published(['serviceMonitor/shop/a/0']);
    serviceMonitor('b', { port: 'http' });
    await published(['serviceMonitor/shop/a/0', 'serviceMonitor/shop/b/0']);
    const first = (await judged('b', 'True')).lastTransitionTime;

    serviceMonitor('b', { port: 'http', interval: '7s' });
    await eventually('the new interval', PATIENCE_MS, async () => publishedYaml().includes('scrape_interval: 7s'));
    await eventually('the new generation', PATIENCE_MS, async () => accepted('b')?.observedGeneration === 2);
    assert.equal(accepted('b')?.lastTransitionTime, first);

    const version = configSecret()!.metadata.resourceVersion;
    api.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } });
    serviceMonitor('c', { port: '(' });
    await judged('c', 'False');
    assert.equal(configSecret()!.metadata.resourceVersion, version);

    api.delete('monitoring.coreos.com/v1', 'ServiceMonitor', 'a', 'shop');
    await published(['serviceMonitor/shop/b/0']);
  });

  it('rejects a bad monitor with the reason and an Event, and leaves the others alone', async () => {
    installCrds();
    serviceMonitor('good', { port: 'http' });
    serviceMonitor('bad', { port: 'http', relabelings: [{ regex: '(', targetLabel: 'a' }] });
    await startOne();
    const condition = await judged('bad', 'False');
    assert.equal(condition.reason, 'InvalidConfiguration');
    assert.match(condition.message, /^spec\.endpoints\[0\]: relabelings\[0\]: invalid regex "\("/);
    await published(['serviceMonitor/shop/good/0']);
    await judged('good', 'True');
    const events = await eventually('an event', PATIENCE_MS, async () => {
      const found = api.list('events.k8s.io/v1', 'Event', { namespace: 'shop' });
      return found.length > 0 && found;
    });
    assert.equal(events.length, 1);
    assert.equal((events[0]!['regarding'] as { name: string }).name, 'bad');

    serviceMonitor('bad', { port: 'http' });
    await judged('bad', 'True');
    await published(['serviceMonitor/shop/bad/0', 'serviceMonitor/shop/good/0']);
  });

  it('puts the credentials of the own namespace into the jobs, and never those of another', async () => {
    installCrds();
    const secret = (namespace: string, name: string, password: string): void => {
      const data = { user: Buffer.from('me').toString('base64'), password: Buffer.from(password).toString('base64') };
      api.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, type: 'Opaque', data });
    };
    secret('shop', 'mine', 'hunter2');
    secret('promlet', 'theirs', 'topsecret');
    const basicAuth = (name: string) => ({ username: { name, key: 'user' }, password: { name, key: 'password' } });
    serviceMonitor('a', { port: 'http', basicAuth: basicAuth('mine') });
    serviceMonitor('b', { port: 'http', basicAuth: basicAuth('theirs') });
    await startOne();
    await published(['serviceMonitor/shop/a/0']);
    assert.match(publishedYaml(), /password: hunter2/);
    assert.match((await judged('b', 'False')).message, /key "user" of Secret "theirs" does not exist/);
    assert.doesNotMatch(publishedYaml(), /topsecret/);
  });

  it('waits for CRDs that come later', async () => {
    const operator = await startOne();
    const healthy = await fetch(`http://127.0.0.1:${operator.port}/-/healthy`);
    assert.equal(healthy.status, 200);
    installCrds();
    serviceMonitor('late', { port: 'http' });
    await published(['serviceMonitor/shop/late/0']);
  });

  it('goes on after an outage of the API server', async () => {
    installCrds();
    serviceMonitor('before', { port: 'http' });
    const operator = await startOne();
    await published(['serviceMonitor/shop/before/0']);
    await api.stop();
    assert.equal((await fetch(`http://127.0.0.1:${operator.port}/-/ready`)).status, 200);
    await api.start();
    serviceMonitor('after', { port: 'http' });
    await published(['serviceMonitor/shop/after/0', 'serviceMonitor/shop/before/0']);
  });

  it('lets one replica write at a time, and the next when that one stops', async () => {
    installCrds();
    const first = await startOne('first');
    const holder = (): string | undefined => {
      const lease = api.get('coordination.k8s.io/v1', 'Lease', 'promlet-agent-config', 'promlet');
      return (lease?.['spec'] as { holderIdentity?: string } | undefined)?.holderIdentity;
    };
    await eventually('a leader', PATIENCE_MS, async () => holder() === 'first');
    const second = await startOne('second');
    serviceMonitor('a', { port: 'http' });
    await published(['serviceMonitor/shop/a/0']);
    assert.equal(holder(), 'first');
    await eventually('the second to be ready', PATIENCE_MS, async () => {
      return (await fetch(`http://127.0.0.1:${second.port}/-/ready`)).ok;
    });

    await stopOne(first);
    await eventually('the second to lead', PATIENCE_MS, async () => holder() === 'second');
    serviceMonitor('b', { port: 'http' });
    await published(['serviceMonitor/shop/a/0', 'serviceMonitor/shop/b/0']);
  });

  it('tells its own health and metrics', async () => {
    installCrds();
    serviceMonitor('bad', { port: '(' });
    const operator = await startOne();
    await judged('bad', 'False');
    const url = `http://127.0.0.1:${operator.port}`;
    for (const path of ['/-/healthy', '/healthz', '/-/ready']) assert.equal((await fetch(url + path)).status, 200);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /^prometheus_operator_managed_resources\{resource="servicemonitors",state="rejected"\} 1$/m);
    assert.match(metrics, /^prometheus_operator_list_operations_total\{resource="servicemonitors"\} \d+$/m);
    assert.match(metrics, /^prometheus_operator_ready 1$/m);
  });
});
