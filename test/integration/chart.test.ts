/** The Helm chart, by the real helm: what it accepts, what it renders, and which rights it gives. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { needPeer } from '../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';

const CHART = fileURLToPath(new URL('../../charts/promlet', import.meta.url));
const DOCKERFILE = new URL('../../Dockerfile', import.meta.url);

interface Rule {
  readonly apiGroups: string[];
  readonly resources: string[];
  readonly verbs: string[];
  readonly resourceNames?: string[];
}
interface Container {
  readonly args: string[];
  readonly env?: { name: string; valueFrom?: object }[];
  readonly securityContext: Record<string, unknown>;
}
interface PodSpec {
  readonly containers: Container[];
  readonly initContainers?: Container[];
  readonly tolerations?: object[];
  readonly securityContext: Record<string, unknown>;
  readonly volumes: object[];
}
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { name: string; namespace?: string; labels: Record<string, string> };
  readonly rules?: Rule[];
  readonly data?: object;
  readonly spec?: {
    readonly selector?: { matchLabels: Record<string, string> };
    readonly template?: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    readonly clusterIP?: string;
    readonly ports?: { port: number }[];
  };
}

describe('the Helm chart', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let helm: string;

  before(function () {
    helm = needPeer(this, 'helm');
  });

  function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(helm, args, { encoding: 'utf8' });
  }

  function template(...args: string[]): Manifest[] {
    const { status, stdout, stderr } = run('template', 'promlet', CHART, '-n', 'monitoring', ...args);
    assert.equal(status, 0, stderr);
    const documents = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest | null);
    return documents.filter((manifest) => manifest !== null);
  }

  function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
    const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name);
    assert.equal(found.length, 1, `${kind} ${name}`);
    return found[0]!;
  }

  function podOf(manifests: readonly Manifest[], kind: string, name: string): PodSpec {
    return find(manifests, kind, name).spec!.template!.spec;
  }

  it('passes helm lint --strict', () => {
    const { status, stdout } = run('lint', '--strict', CHART);
    assert.equal(status, 0, stdout);
  });

  it('renders one operator, one agent per node, and what they need', () => {
    const names = template().map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    assert.deepEqual(names.toSorted(), [
      'ClusterRole monitoring-promlet-agent',
      'ClusterRole monitoring-promlet-operator',
      'ClusterRoleBinding monitoring-promlet-agent',
      'ClusterRoleBinding monitoring-promlet-operator',
      'DaemonSet promlet-agent',
      'Deployment promlet-operator',
      'Lease promlet-agent-config',
      'Role promlet-agent',
      'Role promlet-operator',
      'RoleBinding promlet-agent',
      'RoleBinding promlet-operator',
      'Secret promlet-agent-config',
      'Service promlet',
      'Service promlet-agent',
      'ServiceAccount promlet-agent',
      'ServiceAccount promlet-operator',
    ]);
  });

  it('labels every object with name, instance and component', () => {
    for (const { kind, metadata } of template()) {
      assert.equal(metadata.labels['app.kubernetes.io/name'], 'promlet', kind);
      assert.equal(metadata.labels['app.kubernetes.io/instance'], 'promlet', kind);
      assert.match(metadata.labels['app.kubernetes.io/component']!, /^(operator|agent)$/);
    }
  });

  it('selects the pods it makes', () => {
    const manifests = template();
    for (const [kind, name] of [
      ['Deployment', 'promlet-operator'],
      ['DaemonSet', 'promlet-agent'],
    ] as const) {
      const { selector, template: pod } = find(manifests, kind, name).spec!;
      for (const [label, value] of Object.entries(selector!.matchLabels)) {
        assert.equal(pod!.metadata.labels[label], value);
      }
    }
    assert.equal(find(manifests, 'Service', 'promlet').spec!.ports![0]!.port, 9090);
    assert.equal(find(manifests, 'Service', 'promlet-agent').spec!.clusterIP, 'None');
  });

  it('tells both programs about the same config Secret, which it leaves empty', () => {
    const manifests = template();
    const agent = podOf(manifests, 'DaemonSet', 'promlet-agent').containers[0]!;
    const operator = podOf(manifests, 'Deployment', 'promlet-operator').containers[0]!;
    assert.ok(agent.args.includes('--kube.config-secret=monitoring/promlet-agent-config'));
    assert.ok(operator.args.includes('--agent-config-secret=monitoring/promlet-agent-config'));
    const [, command] = /^CMD (\[.*\])$/m.exec(readFileSync(DOCKERFILE, 'utf8'))!;
    assert.deepEqual(agent.args.slice(0, 2), JSON.parse(command!), 'as the image starts it');
    assert.ok(agent.args.includes('--storage.tsdb.retention.time=15d'));
    assert.ok(!agent.args.some((arg) => arg.startsWith('--storage.tsdb.retention.size')));
    assert.ok(agent.args.includes('--storage.tsdb.head-memory-limit=512MiB'));
    assert.equal(operator.args[0], 'operator.mjs');
    assert.deepEqual(agent.env![0], { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } });
    assert.equal(find(manifests, 'Secret', 'promlet-agent-config').data, undefined);
  });

  it('lets agents read one Secret and no other, and write nothing', () => {
    const manifests = template();
    const cluster = find(manifests, 'ClusterRole', 'monitoring-promlet-agent').rules!;
    const own = find(manifests, 'Role', 'promlet-agent').rules!;
    assert.deepEqual(cluster.flatMap(({ resources }) => resources).toSorted(), ['nodes', 'pods', 'services']);
    assert.deepEqual(own, [
      {
        apiGroups: [''],
        resources: ['secrets'],
        resourceNames: ['promlet-agent-config'],
        verbs: ['get', 'list', 'watch'],
      },
    ]);
    for (const { verbs } of [...cluster, ...own]) {
      for (const verb of verbs) assert.match(verb, /^(get|list|watch)$/);
    }
  });

  it('lets the operator update one Secret and one Lease, and list no Secrets', () => {
    const manifests = template();
    const rules = [
      ...find(manifests, 'ClusterRole', 'monitoring-promlet-operator').rules!,
      ...find(manifests, 'Role', 'promlet-operator').rules!,
    ];
    for (const { resources, verbs, resourceNames, apiGroups } of rules) {
      assert.ok(![...resources, ...verbs, ...apiGroups].includes('*'), 'no wildcards');
      if (verbs.includes('update')) assert.deepEqual(resourceNames, ['promlet-agent-config']);
      if (resources.includes('secrets')) assert.ok(!verbs.includes('list') && !verbs.includes('watch'));
    }
  });

  it('confines the operator to the namespaces it is given', () => {
    const manifests = template('--set', 'operator.namespaces={shop,web}');
    const roles = manifests.filter(({ kind, metadata }) => kind === 'Role' && metadata.name.endsWith('-monitors'));
    assert.deepEqual(
      roles.map(({ metadata }) => metadata.namespace),
      ['shop', 'web'],
    );
    const cluster = manifests.filter(
      ({ kind, metadata }) => kind === 'ClusterRole' && metadata.name.endsWith('operator'),
    );
    const resources = cluster.flatMap(({ rules }) => rules!.flatMap((rule) => rule.resources));
    assert.ok(!resources.some((resource) => /monitors|secrets|configmaps/.test(resource)), resources.join());
    const operator = podOf(manifests, 'Deployment', 'promlet-operator').containers[0]!;
    assert.ok(operator.args.includes('--namespaces=shop,web'));
  });

  it('runs nothing as root but the init container of a hostPath', () => {
    for (const type of ['hostPath', 'emptyDir']) {
      const manifests = template('--set', `agent.storage.type=${type}`);
      const agent = podOf(manifests, 'DaemonSet', 'promlet-agent');
      const operator = podOf(manifests, 'Deployment', 'promlet-operator');
      for (const pod of [agent, operator]) {
        assert.equal(pod.securityContext['runAsNonRoot'], true);
        assert.equal(pod.securityContext['runAsUser'], 65_534);
        for (const { securityContext } of pod.containers) {
          assert.equal(securityContext['allowPrivilegeEscalation'], false);
          assert.equal(securityContext['readOnlyRootFilesystem'], true);
          assert.deepEqual(securityContext['capabilities'], { drop: ['ALL'] });
        }
      }
      assert.equal(agent.initContainers?.length ?? 0, type === 'hostPath' ? 1 : 0);
      assert.ok(type in agent.volumes[0]!);
      assert.deepEqual(agent.tolerations, [{ operator: 'Exists' }]);
    }
  });

  it('refuses values that make no sense', () => {
    for (const value of [
      'agent.storage.type=nfs',
      'operator.scrapeInterval=often',
      'operator.replica=2',
      'securityContext.runAsUser=0',
      'operator.namespaces={a},operator.denyNamespaces={b}',
    ]) {
      const { status } = run('template', 'promlet', CHART, '--set', value);
      assert.notEqual(status, 0, value);
    }
  });

  it('names everything after the release', () => {
    const { stdout } = run('template', 'eu', CHART, '-n', 'monitoring');
    assert.match(stdout, /name: eu-promlet-agent-config/);
    assert.doesNotMatch(stdout, /name: promlet-/);
  });
});
