import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { type ApiServer, startApiServer } from '../sandbox/apiserver/index.ts';
import { needPeer } from '../tools/peers.ts';
import { eventually, PATIENCE_MS, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';

const CHART: Record<string, string> = {
  'Chart.yaml': 'apiVersion: v2\nname: tiny\nversion: 0.1.0\n',
  'values.yaml': 'replicas: 1\n',
  'crds/widgets.yaml': `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {size: {type: integer}}}}
`,
  'templates/all.yaml': `
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: tiny}}
  template:
    metadata: {labels: {app: tiny}}
    spec:
      containers: [{name: tiny, image: 'tiny:{{ .Values.replicas }}', ports: [{name: web, containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: tiny}, ports: [{name: web, port: 80, targetPort: web}]}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: 'number {{ .Values.replicas }}'}
{{- if lt (int .Values.replicas) 3 }}
---
apiVersion: example.com/v1
kind: Widget
metadata: {name: {{ .Release.Name }}}
spec: {size: {{ .Values.replicas }}}
{{- end }}
`,
};

describe('real helm against the sandbox API server', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let server: ApiServer;
  let dir: string;
  let binary: string;

  before(function () {
    binary = needPeer(this, 'helm');
  });
  beforeEach(async () => {
    server = await startApiServer();
    dir = mkdtempSync(join(tmpdir(), 'promlet-helm-'));
    writeFileSync(join(dir, 'kubeconfig'), server.kubeconfig());
    for (const [name, content] of Object.entries(CHART)) {
      mkdirSync(dirname(join(dir, 'chart', name)), { recursive: true });
      writeFileSync(join(dir, 'chart', name), content);
    }
  });
  afterEach(async () => {
    await server.close();
    rmSync(dir, { recursive: true, force: true });
  });

  function helm(...args: string[]): Promise<string> {
    const env = { PATH: process.env.PATH, HOME: dir, KUBECONFIG: join(dir, 'kubeconfig') };
    return new Promise((resolve, reject) => {
      execFile(binary, args, { env, cwd: dir, timeout: SUITE_TIMEOUT_MS }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`helm ${args.join(' ')}: ${stderr}`));
      });
    });
  }

  function replicas(): unknown {
    return (server.get('apps/v1', 'Deployment', 'one')?.spec as { replicas: number } | undefined)?.replicas;
  }

  function password(): string {
    const { data } = server.get('v1', 'Secret', 'one') as unknown as { data: { password: string } };
    return Buffer.from(data.password, 'base64').toString();
  }

  it('installs, upgrades, rolls back and uninstalls a chart with a CRD', async () => {
    await helm('install', 'one', './chart');
    assert.equal(replicas(), 1);
    assert.equal(password(), 'number 1');
    assert.deepEqual(server.get('example.com/v1', 'Widget', 'one')?.spec, { size: 1 });
    const owners = server.get('apps/v1', 'Deployment', 'one')?.metadata.managedFields;
    assert.deepEqual(
      owners?.map(({ manager, operation }) => `${manager} ${operation}`),
      ['helm Apply'],
    );

    await helm('upgrade', 'one', './chart', '--set', 'replicas=3');
    assert.equal(replicas(), 3);
    assert.equal(password(), 'number 3');
    assert.equal(server.get('example.com/v1', 'Widget', 'one'), undefined, 'no longer in the chart');

    await helm('rollback', 'one', '1');
    assert.equal(replicas(), 1);
    assert.deepEqual(server.get('example.com/v1', 'Widget', 'one')?.spec, { size: 1 });
    const listed = JSON.parse(await helm('list', '-o', 'json')) as { name: string; revision: string; status: string }[];
    assert.deepEqual(
      listed.map(({ name, revision, status }) => [name, revision, status]),
      [['one', '3', 'deployed']],
    );
    const status = JSON.parse(await helm('status', 'one', '-o', 'json')) as {
      info: { status: string };
      version: number;
    };
    assert.deepEqual([status.info.status, status.version], ['deployed', 3]);

    await helm('uninstall', 'one');
    assert.equal(replicas(), undefined);
    assert.equal(server.get('v1', 'Service', 'one'), undefined);
    assert.deepEqual(server.list('v1', 'Secret'), []);
    assert.equal(server.list('apiextensions.k8s.io/v1', 'CustomResourceDefinition').length, 1, 'helm leaves CRDs');
  });

  it("installs, upgrades and uninstalls the project's own chart", async () => {
    const chart = fileURLToPath(new URL('../../charts/promlet', import.meta.url));
    await helm('install', 'promlet', chart, '--namespace', 'monitoring', '--create-namespace');
    const names = (kind: string): string[] =>
      server.list('apps/v1', kind, { namespace: 'monitoring' }).map((object) => object.metadata.name);
    assert.deepEqual([names('Deployment'), names('DaemonSet')], [['promlet-operator'], ['promlet-agent']]);
    const definitions = server.list('apiextensions.k8s.io/v1', 'CustomResourceDefinition');
    assert.ok(definitions.some((object) => object.metadata.name === 'servicemonitors.monitoring.coreos.com'));
    const { resourceVersion } = server.get('apps/v1', 'DaemonSet', 'promlet-agent', 'monitoring')!.metadata;
    await helm('upgrade', 'promlet', chart, '--namespace', 'monitoring');
    const after = server.get('apps/v1', 'DaemonSet', 'promlet-agent', 'monitoring')!.metadata.resourceVersion;
    assert.equal(after, resourceVersion, 'an upgrade without a change writes nothing');
    await helm('uninstall', 'promlet', '--namespace', 'monitoring');
    assert.deepEqual([names('Deployment'), names('DaemonSet')], [[], []]);
    assert.deepEqual(server.list('v1', 'Service', { namespace: 'monitoring' }), []);
  });

  it('waits until a deployment is ready', async () => {
    const installed = helm('install', 'one', './chart', '--wait', '--timeout', `${SUITE_TIMEOUT_MS}ms`);
    let isDone = false;
    const done = installed.then(() => (isDone = true));
    const applied = eventually('the deployment is there', PATIENCE_MS, () => Promise.resolve(replicas() !== undefined));
    await Promise.race([done, applied]);
    assert.equal(isDone, false);
    const status = {
      observedGeneration: 1,
      replicas: 1,
      updatedReplicas: 1,
      readyReplicas: 1,
      availableReplicas: 1,
      conditions: [
        { type: 'Available', status: 'True' },
        { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' },
      ],
    };
    const { apiVersion, kind, metadata, spec } = server.get('apps/v1', 'Deployment', 'one')!;
    server.apply({ apiVersion, kind, metadata, spec, status });
    await done;
  });
});
