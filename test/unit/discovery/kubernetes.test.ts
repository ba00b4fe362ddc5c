import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { endpointSliceGroup, endpointsGroup } from '../../../agent/discovery/endpoints.ts';
import { leanNode, leanPod, leanService, type Node, type Pod, type Service } from '../../../agent/discovery/objects.ts';
import { podGroup } from '../../../agent/discovery/pod.ts';
import { ServiceIndex } from '../../../agent/discovery/service-index.ts';
import type { TargetGroup } from '../../../lib/config/index.ts';

const fixture = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`fixtures/${name}`, import.meta.url)), 'utf8');
const cluster = JSON.parse(fixture('cluster.json')) as { pods: Pod[]; services: Service[]; nodes: Node[] };
const expected = JSON.parse(fixture('prometheus-targets.json')) as Record<string, Record<string, string>[]>;

const pods = cluster.pods.map(leanPod);
const node = leanNode(cluster.nodes[0]!);

/** What each target ends up with, in a fixed order. */
function flatten(groups: readonly TargetGroup[]): Record<string, string>[] {
  const all = groups.flatMap(({ labels, targets }) =>
    targets.map((target) => Object.fromEntries([...labels, ...target].sort(([a], [b]) => (a < b ? -1 : 1)))),
  );
  return sorted(all);
}

function sorted(targets: readonly Record<string, string>[]): Record<string, string>[] {
  return targets.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** Each Service with the pods it selects, as the provider joins them. */
function joined(): [Service, Pod[]][] {
  const index = new ServiceIndex();
  for (const service of cluster.services.map(leanService)) index.add(service);
  const selected = new Map<Service, Pod[]>();
  for (const pod of pods) {
    for (const service of index.selecting(pod)) selected.set(service, [...(selected.get(service) ?? []), pod]);
  }
  return [...selected];
}

describe('Kubernetes discovery yields the labels that Prometheus yields', () => {
  const none = { node: undefined, job: false };
  const withNode = { node, job: false };
  const cases: readonly [string, () => TargetGroup[]][] = [
    ['pod', () => pods.map((pod) => podGroup(pod, none))],
    ['pod-node', () => pods.map((pod) => podGroup(pod, withNode))],
    ['endpoints', () => joined().map(([service, selected]) => endpointsGroup(service, selected, none))],
    ['endpointslice', () => joined().map(([service, selected]) => endpointSliceGroup(service, selected, none))],
    [
      'endpointslice-node',
      () => joined().map(([service, selected]) => endpointSliceGroup(service, selected, withNode)),
    ],
  ];
  for (const [name, groups] of cases) {
    it(`role ${name}`, () => {
      const wanted = structuredClone(expected[name]!);
      // The zone of a slice's endpoint comes from the Node, which is watched only when its metadata is asked for.
      if (name === 'endpointslice')
        for (const target of wanted) delete target['__meta_kubernetes_endpointslice_endpoint_zone'];
      assert.deepEqual(flatten(groups()), sorted(wanted));
    });
  }

  it('adds the job of a pod when that is asked for', () => {
    const pod = pods.find(({ metadata }) => metadata.name === 'job-x')!;
    assert.equal(podGroup(pod, { node: undefined, job: true }).labels.get('__meta_kubernetes_pod_job_name'), 'import');
    assert.equal(podGroup(pod, none).labels.has('__meta_kubernetes_pod_job_name'), false);
  });
});
