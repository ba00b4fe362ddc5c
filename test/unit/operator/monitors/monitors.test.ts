import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import {
  type CredentialReference,
  type CredentialSource,
  MONITOR_KINDS,
  resolveMonitor,
} from '../../../../operator/monitors/index.ts';
import { ConfigRenderer } from '../../../../operator/publish/index.ts';
import { needPeer } from '../../../tools/peers.ts';

interface Monitor {
  readonly kind: string;
  readonly metadata: object;
  readonly spec: object;
}

const here = new URL('./', import.meta.url);
const OPTIONS = { scrapeIntervalMs: 30_000, serviceDiscoveryRole: 'endpoints' } as const;
const renderer = new ConfigRenderer({ scrapeIntervalMs: 30_000, externalLabels: { cluster: 'test' } });

const CREDENTIALS: Readonly<Record<string, string>> = {
  'Secret/shop/web/user': 'admin',
  'Secret/shop/web/password': 'it\'s "secret": #1\n',
  'Secret/shop/web/token': 'abc.def',
  'Secret/shop/web/tls.crt': '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n',
  'Secret/shop/web/tls.key': '-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n',
  'ConfigMap/shop/bundle/ca.crt': '-----BEGIN CERTIFICATE-----\nMB==\n-----END CERTIFICATE-----\n',
  'Secret/kube-system/other/user': 'root',
};

const credentials: CredentialSource = ({ kind, namespace, name, key }: CredentialReference) =>
  CREDENTIALS[`${kind}/${namespace}/${name}/${key}`];

function read(file: string): unknown {
  return parse(readFileSync(new URL(file, here), 'utf8'));
}

function resolve(monitor: Monitor) {
  const kind = MONITOR_KINDS.find(({ resource }) => resource.kind === monitor.kind)!;
  return resolveMonitor(kind, monitor, OPTIONS, credentials);
}

describe('monitors', () => {
  const cases = read('cases.yaml') as { name: string; monitor: Monitor }[];

  for (const { name, monitor } of cases) {
    it(`become jobs: ${name}`, async () => {
      const { jobs, rejection } = resolve(monitor);
      assert.equal(rejection, undefined);
      const actual = await renderer.fragment(jobs);
      const golden = new URL(`golden/${name}.yaml`, here);
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, actual);
      assert.equal(actual, existsSync(golden) ? readFileSync(golden, 'utf8') : '');
    });
  }

  it('make a configuration that promtool accepts', async function () {
    const promtool = needPeer(this, 'promtool');
    const fragments: string[] = [];
    for (const { monitor } of cases) fragments.push(await renderer.fragment(resolve(monitor).jobs));
    const dir = mkdtempSync(join(tmpdir(), 'promlet-config-'));
    try {
      const file = join(dir, 'prometheus.yml');
      writeFileSync(file, await renderer.join(fragments));
      assert.match(execFileSync(promtool, ['check', 'config', file], { encoding: 'utf8' }), /SUCCESS/);
      writeFileSync(file, await renderer.join([]));
      assert.match(execFileSync(promtool, ['check', 'config', file], { encoding: 'utf8' }), /SUCCESS/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('name the Secrets they need, of their own namespace only', () => {
    const { references } = resolve(cases.find(({ name }) => name === 'pod-credentials')!.monitor);
    assert.deepEqual(
      references.map(({ kind, namespace, name, key }) => `${kind}/${namespace}/${name}/${key}`),
      ['user', 'password', 'token', 'token', 'nobody'].map((key) => `Secret/shop/web/${key}`),
    );
  });

  describe('are rejected with the reason', () => {
    interface Rejection {
      readonly endpoint?: object;
      readonly spec?: object;
      readonly reason: string;
    }
    for (const { endpoint, spec, reason } of read('rejections.yaml') as Rejection[]) {
      it(`${JSON.stringify(endpoint ?? spec)}: ${reason}`, () => {
        const result = resolve({
          kind: 'ServiceMonitor',
          metadata: { namespace: 'shop', name: 'bad' },
          spec: { selector: {}, endpoints: [{ port: 'http', ...endpoint }], ...spec },
        });
        assert.ok(result.rejection?.includes(reason), `rejection: ${result.rejection}`);
        if (endpoint !== undefined) assert.match(result.rejection ?? '', /spec\.endpoints\[0\]/);
        assert.deepEqual(result.jobs, []);
      });
    }
  });
});
