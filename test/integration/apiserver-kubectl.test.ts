import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type ApiServer, startApiServer } from '../sandbox/apiserver/index.ts';
import { ManagedProcess } from '../sandbox/process.ts';
import { needPeer } from '../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** The parts of upstream's ServiceMonitor CRD that these tests use, in its own shape. */
const SERVICE_MONITOR_CRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicemonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: ServiceMonitor, plural: servicemonitors, shortNames: [smon], categories: [prometheus-operator]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns:
    - {name: Job, type: string, jsonPath: .spec.jobLabel}
    - {name: Endpoints, type: integer, jsonPath: '.spec.sampleLimit'}
    - {name: Accepted, type: string, jsonPath: '.status.conditions[?(@.type=="Accepted")].status'}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            description: What is scraped.
            required: [endpoints, selector]
            properties:
              jobLabel: {type: string, description: The label that names the job.}
              sampleLimit: {type: integer, minimum: 1}
              endpoints:
                type: array
                items:
                  type: object
                  properties:
                    port: {type: string}
                    targetPort: {anyOf: [{type: integer}, {type: string}], x-kubernetes-int-or-string: true}
                    interval: {type: string, pattern: '^([0-9]+ms|[0-9]+s|[0-9]+m)$'}
                    scheme: {type: string, enum: [http, https], default: http}
              selector:
                type: object
                x-kubernetes-map-type: atomic
                properties:
                  matchLabels: {type: object, additionalProperties: {type: string}}
          status:
            type: object
            x-kubernetes-preserve-unknown-fields: true
`;

const MONITOR = `
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: web}
spec:
  jobLabel: app
  selector: {matchLabels: {app: web}}
  endpoints: [{port: web, interval: 15s, targetPort: 8080}]
`;

const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: app, image: 'app:1', ports: [{containerPort: 8080}], env: [{name: A, value: '1'}, {name: B, value: '2'}]}
      - {name: side, image: 'side:1'}
`;

describe('real kubectl against the sandbox API server', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let server: ApiServer;
  let dir: string;
  let binary: string;
  let fileCount = 0;

  before(function () {
    binary = needPeer(this, 'kubectl');
  });
  beforeEach(async () => {
    server = await startApiServer();
    dir = mkdtempSync(join(tmpdir(), 'promlet-kubectl-'));
  });
  afterEach(async () => {
    await server.close();
    rmSync(dir, { recursive: true, force: true });
  });

  function environment(): Record<string, string> {
    const config = join(dir, 'kubeconfig');
    writeFileSync(config, server.kubeconfig());
    return { PATH: process.env['PATH'] ?? '', HOME: dir, KUBECONFIG: config };
  }

  function attempt(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    return new Promise((resolve) => {
      execFile(
        binary,
        args,
        { env: { ...environment(), ...env }, timeout: SUITE_TIMEOUT_MS },
        (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
        },
      );
    });
  }

  async function kubectl(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await attempt(args);
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  }

  function file(content: string): string {
    const path = join(dir, `${(fileCount += 1)}.yaml`);
    writeFileSync(path, content);
    return path;
  }

  /** `kubectl get` as rows of cells. */
  async function rows(...args: string[]): Promise<string[][]> {
    const out = await kubectl('get', '--no-headers', ...args);
    return out.split('\n').map((line) => line.trim().split(/\s{2,}/));
  }

  it('creates, leaves alone and changes what is applied', async () => {
    assert.equal(await kubectl('apply', '-f', file(DEPLOYMENT)), 'deployment.apps/web created');
    assert.equal(await kubectl('apply', '-f', file(DEPLOYMENT)), 'deployment.apps/web unchanged');
    const changed = DEPLOYMENT.replace('app:1', 'app:2').replace("{name: A, value: '1'}, ", '');
    assert.equal(await kubectl('apply', '-f', file(changed)), 'deployment.apps/web configured');
    const containers = await kubectl('get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers}');
    assert.deepEqual(JSON.parse(containers), [
      {
        name: 'app',
        image: 'app:2',
        ports: [{ containerPort: 8080, protocol: 'TCP' }],
        env: [{ name: 'B', value: '2' }],
      },
      { name: 'side', image: 'side:1' },
    ]);
    assert.equal(server.get('apps/v1', 'Deployment', 'web')?.metadata.generation, 2);
  });

  it('patches one container of two by a strategic merge', async () => {
    await kubectl('apply', '-f', file(DEPLOYMENT));
    const patch = { spec: { template: { spec: { containers: [{ name: 'side', image: 'side:9' }] } } } };
    await kubectl('patch', 'deploy', 'web', '-p', JSON.stringify(patch));
    const images = 'jsonpath={.spec.template.spec.containers[*].image}';
    assert.equal(await kubectl('get', 'deploy', 'web', '-o', images), 'app:1 side:9');
    await kubectl(
      'patch',
      'deploy',
      'web',
      '--type=json',
      '-p',
      '[{"op":"remove","path":"/spec/template/spec/containers/1"}]',
    );
    assert.equal(await kubectl('get', 'deploy', 'web', '-o', images), 'app:1');
    await kubectl('patch', 'deploy', 'web', '--type=merge', '-p', '{"spec":{"replicas":7}}');
    assert.equal(await kubectl('get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}'), '7');
  });

  it('edits, labels and annotates', async () => {
    await kubectl('create', 'configmap', 'settings', '--from-literal=color=red');
    const editor = join(dir, 'editor.sh');
    writeFileSync(editor, '#!/bin/sh\nsed -i "s/color: red/color: green/" "$1"\n');
    chmodSync(editor, 0o755);
    const { code, stdout, stderr } = await attempt(['edit', 'configmap', 'settings'], { EDITOR: editor });
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trim(), 'configmap/settings edited');
    await kubectl('label', 'configmap', 'settings', 'team=a');
    await kubectl('annotate', 'configmap', 'settings', 'note=kept');
    const stored = server.get('v1', 'ConfigMap', 'settings')!;
    assert.deepEqual(stored.data, { color: 'green' });
    assert.deepEqual(stored.metadata.labels, { team: 'a' });
    assert.deepEqual(stored.metadata.annotations, { note: 'kept' });
    await kubectl('label', 'configmap', 'settings', 'team-');
    assert.equal(Object.keys(server.get('v1', 'ConfigMap', 'settings')!.metadata.labels ?? {}).length, 0);
  });

  it('shows pods with their columns, wide and by node, in all namespaces', async () => {
    const status = {
      phase: 'Running',
      podIP: '10.0.0.7',
      containerStatuses: [{ name: 'app', ready: true, restartCount: 3 }],
    };
    const metadata = { name: 'one', namespace: 'kube-system' };
    const containers = [{ name: 'app', image: 'app:1' }];
    server.apply({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: 'node-a', containers }, status });
    server.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'two' },
      spec: { nodeName: 'node-b', containers },
    });
    const [row] = await rows('pods', '-A', '-o', 'wide', '--field-selector=spec.nodeName=node-a');
    assert.deepEqual(
      row?.filter((_, i) => i !== 5),
      ['kube-system', 'one', '1/1', 'Running', '3', '10.0.0.7', 'node-a', '<none>', '<none>'],
    );
    assert.deepEqual(
      (await rows('pods', '-A', '--field-selector=spec.nodeName!=node-a')).map((cells) => cells[1]),
      ['two'],
    );
    assert.match(await kubectl('describe', 'pod', 'one', '-n', 'kube-system'), /^Node: +node-a/m);
  });

  it('applies on the server, twice, and reports the conflict of a second owner', async () => {
    const settings = (data: string): string =>
      file(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: ${data}\n`);
    const first = ['apply', '--server-side', '--field-manager=first', '-f'];
    const second = ['apply', '--server-side', '--field-manager=second', '-f'];
    assert.equal(await kubectl(...first, settings('{a: "1", b: "2"}')), 'configmap/settings serverside-applied');
    const { resourceVersion } = server.get('v1', 'ConfigMap', 'settings')!.metadata;
    await kubectl(...first, settings('{a: "1", b: "2"}'));
    assert.equal(server.get('v1', 'ConfigMap', 'settings')!.metadata.resourceVersion, resourceVersion);

    const refused = await attempt([...second, settings('{a: "9"}')]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Apply failed with 1 conflict: conflict with "first": \.data\.a/);
    await kubectl(...second, settings('{a: "9"}'), '--force-conflicts');
    await kubectl(...first, settings('{}'));
    // `b` had no other owner and went; `a` belongs to the second now.
    assert.deepEqual(server.get('v1', 'ConfigMap', 'settings')!.data, { a: '9' });
  });

  it('serves a custom resource with its schema, columns and explanation', async () => {
    await kubectl('apply', '-f', file(SERVICE_MONITOR_CRD));
    await kubectl('wait', '--for=condition=Established', 'crd/servicemonitors.monitoring.coreos.com', '--timeout=120s');
    await kubectl('apply', '-f', file(MONITOR));
    const spec = JSON.parse(await kubectl('get', 'smon', 'web', '-o', 'jsonpath={.spec}')) as unknown;
    assert.deepEqual(spec, {
      jobLabel: 'app',
      selector: { matchLabels: { app: 'web' } },
      endpoints: [{ port: 'web', interval: '15s', targetPort: 8080, scheme: 'http' }],
    });
    const status = { status: { conditions: [{ type: 'Accepted', status: 'True' }] } };
    await kubectl('patch', 'smon', 'web', '--subresource=status', '--type=merge', '-p', JSON.stringify(status));
    assert.match(await kubectl('get', 'smon'), /^NAME +JOB +ENDPOINTS +ACCEPTED\nweb +app +True$/);
    const explained = await kubectl('explain', 'smon.spec.jobLabel');
    assert.match(explained, /KIND: +ServiceMonitor/);
    assert.match(explained, /The label that names the job\./);
  });

  it('rejects what the schema of a custom resource forbids, in the words of Kubernetes', async () => {
    await kubectl('apply', '-f', file(SERVICE_MONITOR_CRD));
    const bad = MONITOR.replace('15s', 'soon')
      .replace('targetPort: 8080', 'scheme: ftp')
      .replace('jobLabel: app', 'sampleLimit: 0');
    const { code, stderr } = await attempt(['apply', '-f', file(bad)]);
    assert.equal(code, 1);
    assert.deepEqual(
      stderr
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line.startsWith('*'))
        .sort(),
      [
        '* spec.endpoints[0].interval: Invalid value: "soon": spec.endpoints[0].interval in body should match \'^([0-9]+ms|[0-9]+s|[0-9]+m)$\'',
        '* spec.endpoints[0].scheme: Unsupported value: "ftp": supported values: "http", "https"',
        '* spec.sampleLimit: Invalid value: 0: spec.sampleLimit in body should be greater than or equal to 1',
      ],
    );
    const misspelt = await attempt(['apply', '-f', file(MONITOR.replace('port: web', 'prot: web'))]);
    assert.match(misspelt.stderr, /strict decoding error: unknown field "spec\.endpoints\[0\]\.prot"/);
    const lenient = await attempt(['apply', '--validate=warn', '-f', file(MONITOR.replace('port: web', 'prot: web'))]);
    assert.equal(lenient.code, 0, lenient.stderr);
    assert.match(lenient.stderr, /Warning: unknown field "spec\.endpoints\[0\]\.prot"/);
    const stored = server.get('monitoring.coreos.com/v1', 'ServiceMonitor', 'web')!;
    assert.deepEqual(stored.spec, {
      jobLabel: 'app',
      selector: { matchLabels: { app: 'web' } },
      endpoints: [{ interval: '15s', targetPort: 8080, scheme: 'http' }],
    });
  });

  it('rejects an unknown field and a wrong type in a built-in object', async () => {
    const unknown = await attempt(['apply', '-f', file(DEPLOYMENT.replace('replicas', 'replica'))]);
    assert.match(unknown.stderr, /unknown field "spec\.replica"/);
    const wrong = await attempt(['create', '-f', file(DEPLOYMENT.replace('replicas: 2', 'replicas: two'))]);
    assert.match(
      wrong.stderr,
      /cannot unmarshal string into Go struct field Deployment\.spec\.replicas of type integer/,
    );
  });

  it('watches and waits', async () => {
    server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'seen', labels: { app: 'x' } } });
    const watching = await ManagedProcess.start({
      name: 'kubectl get',
      command: binary,
      args: ['get', 'configmaps', '-l', 'app=x', '-w', '--output-watch-events', '--no-headers'],
      env: environment(),
      logFile: join(dir, 'watch.log'),
    });
    let out = '';
    try {
      await watching.waitForOutput(/^(.*\n){1}/);
      server.apply({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'late', labels: { app: 'x' } },
        data: { a: '1' },
      });
      await watching.waitForOutput(/^(.*\n){2}/);
      // Out of the selection: to this watch it is gone.
      server.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'late', labels: { app: 'y' } } });
      [out] = await watching.waitForOutput(/^(.*\n){3}/);
    } finally {
      await watching.stop();
    }
    const events = out
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/).slice(0, 3));
    assert.deepEqual(events, [
      ['ADDED', 'seen', '0'],
      ['ADDED', 'late', '1'],
      ['DELETED', 'late', '1'],
    ]);

    await kubectl('apply', '-f', file(DEPLOYMENT));
    const waiting = kubectl('wait', '--for=condition=Available', 'deploy/web', '--timeout=120s');
    await kubectl(
      'patch',
      'deploy',
      'web',
      '--subresource=status',
      '--type=merge',
      '-p',
      '{"status":{"conditions":[{"type":"Available","status":"True"}]}}',
    );
    assert.equal(await waiting, 'deployment.apps/web condition met');
  });

  it('deletes, with what the object owned, and empties a namespace', async () => {
    await kubectl('create', 'namespace', 'shop');
    await kubectl('create', 'configmap', 'owner', '-n', 'shop');
    const { uid } = server.get('v1', 'ConfigMap', 'owner', 'shop')!.metadata;
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: uid! }];
    server.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'owned', namespace: 'shop', ownerReferences } });
    await kubectl('delete', 'configmap', 'owner', '-n', 'shop');
    assert.equal(server.get('v1', 'Secret', 'owned', 'shop'), undefined);
    server.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'left', namespace: 'shop' } });
    await kubectl('delete', 'namespace', 'shop');
    assert.equal(server.get('v1', 'Secret', 'left', 'shop'), undefined);
    const gone = await attempt(['get', 'namespace', 'shop']);
    assert.equal(gone.stderr.trim(), 'Error from server (NotFound): namespaces "shop" not found');
  });
});
