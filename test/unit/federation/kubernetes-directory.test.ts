import assert from 'node:assert/strict';
import type { KubeObject, StoreEvent } from '../../../lib/kube/index.ts';
import { type AgentPod, kubernetesDirectory, type ObjectStore } from '../../../operator/federation/index.ts';

/** A reflector's store, filled by hand. */
class FakeStore<T extends KubeObject> implements ObjectStore<T> {
  readonly objects = new Map<string, T>();
  readonly #listeners = new Set<(event: StoreEvent<T>) => void>();

  subscribe(listener: (event: StoreEvent<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  add(object: T): void {
    const key = object.metadata.name ?? '';
    this.objects.set(key, object);
    for (const listener of this.#listeners) listener({ type: 'add', key, object });
  }

  remove(key: string): void {
    const object = this.objects.get(key)!;
    this.objects.delete(key);
    for (const listener of this.#listeners) listener({ type: 'delete', key, object });
  }
}

function pod(name: string, node: string, podIP: string, ready = true, phase = 'Running'): AgentPod {
  return {
    metadata: { name },
    spec: {
      nodeName: node,
      containers: [
        { ports: [{ name: 'debug', containerPort: 6060 }] },
        { ports: [{ name: 'web', containerPort: 9090 }] },
      ],
    },
    status: { phase, podIP, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

function start(pods: readonly AgentPod[], nodes: readonly string[]) {
  const podStore = new FakeStore<AgentPod>();
  const nodeStore = new FakeStore<KubeObject>();
  for (const one of pods) podStore.add(one);
  for (const name of nodes) nodeStore.add({ metadata: { name } });
  return { podStore, nodeStore, directory: kubernetesDirectory(podStore, nodeStore) };
}

describe('agents directory from Kubernetes', () => {
  it('gives one agent per node with the address of its web port, sorted by node', () => {
    const { directory } = start([pod('agent-2', 'node-b', 'fd00::2', false), pod('agent-1', 'node-a', '10.0.0.1')], []);
    assert.deepEqual(directory.agents(), [
      { node: 'node-a', url: 'http://10.0.0.1:9090', podName: 'agent-1', ready: true },
      { node: 'node-b', url: 'http://[fd00::2]:9090', podName: 'agent-2', ready: false },
    ]);
    assert.deepEqual(directory.missing(), []);
  });

  it('takes the ready pod while a node has two', () => {
    const { directory } = start([pod('old', 'node-a', '10.0.0.1'), pod('new', 'node-a', '10.0.0.2', false)], []);
    assert.deepEqual(
      directory.agents().map(({ podName }) => podName),
      ['old'],
    );
  });

  it('misses a node whose agent vanished, until the node itself is deleted', () => {
    const { directory, podStore, nodeStore } = start([pod('agent-1', 'node-a', '10.0.0.1')], ['node-a', 'node-b']);
    podStore.remove('agent-1');
    assert.deepEqual(directory.agents(), []);
    assert.deepEqual(directory.missing(), [{ node: 'node-a', reason: 'it has no agent pod any more' }]);
    nodeStore.remove('node-a');
    assert.deepEqual(directory.missing(), []);
  });

  it('misses a node whose agent has no address, is over, or has no web port', () => {
    const { directory } = start(
      [
        pod('a', 'node-a', '', false, 'Pending'),
        pod('b', 'node-b', '10.0.0.2', false, 'Failed'),
        { ...pod('c', 'node-c', '10.0.0.3'), spec: { nodeName: 'node-c', containers: [{}] } },
        { metadata: { name: 'unscheduled' } },
      ],
      [],
    );
    assert.deepEqual(directory.agents(), []);
    assert.deepEqual(directory.missing(), [
      { node: 'node-a', reason: 'agent pod a is Pending' },
      { node: 'node-b', reason: 'agent pod b is Failed' },
      { node: 'node-c', reason: 'agent pod c has no container port named web' },
    ]);
  });

  it('stops listening when closed', () => {
    const { directory, podStore, nodeStore } = start([], []);
    directory.close();
    assert.equal(podStore.listenerCount + nodeStore.listenerCount, 0);
  });
});
