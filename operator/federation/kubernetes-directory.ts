import { isIPv6 } from 'node:net';
import type { KubeObject, StoreEvent } from '../../lib/kube/index.ts';
import type { Agent, AgentsDirectory, MissingAgent } from './directory.ts';

/** Selects the agents' pods. */
export const AGENT_LABEL_SELECTOR = 'app.kubernetes.io/component=agent';

/** Name of the container port that serves the agent's API. */
const PORT_NAME = 'web';

/** The fields of a core/v1 Pod that are read here. */
export interface AgentPod extends KubeObject {
  readonly spec?: {
    readonly nodeName?: string;
    readonly containers?: readonly {
      readonly ports?: readonly {
        readonly name?: string;
        readonly containerPort: number;
        readonly protocol?: string;
      }[];
    }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** The part of a reflector that is used. */
export interface ObjectStore<T extends KubeObject> {
  readonly objects: ReadonlyMap<string, T>;
  subscribe(listener: (event: StoreEvent<T>) => void): () => void;
}

/**
 * The agents as Kubernetes knows them: one pod per node. A node is missing while its agent's pod has no address, and when
 * it had an agent since this process started and has none now; it is forgotten when the node itself is deleted. A node
 * that never had an agent holds no series.
 *
 * @param pods those selected by AGENT_LABEL_SELECTOR
 */
export function kubernetesDirectory(
  pods: ObjectStore<AgentPod>,
  nodes: ObjectStore<KubeObject>,
): AgentsDirectory & { close(): void } {
  const nodesSeen = new Set<string>();
  for (const pod of pods.objects.values()) noteNode(pod);
  const stopPods = pods.subscribe(({ object }) => noteNode(object));
  const stopNodes = nodes.subscribe(({ type, object }) => {
    if (type === 'delete') nodesSeen.delete(object.metadata.name ?? '');
  });

  function noteNode(pod: AgentPod): void {
    const node = pod.spec?.nodeName;
    if (node !== undefined && node !== '') nodesSeen.add(node);
  }

  function current(): { agents: Agent[]; missing: MissingAgent[] } {
    const podByNode = new Map<string, AgentPod>();
    for (const pod of pods.objects.values()) {
      const node = pod.spec?.nodeName;
      if (node === undefined || node === '') continue;
      const other = podByNode.get(node);
      if (other === undefined || rank(pod) > rank(other)) podByNode.set(node, pod);
    }
    const existing = new Set([...nodes.objects.values()].map(({ metadata }) => metadata.name ?? ''));
    const agents: Agent[] = [];
    const missing: MissingAgent[] = [];
    for (const node of [...new Set([...podByNode.keys(), ...nodesSeen])].sort()) {
      const pod = podByNode.get(node);
      if (pod === undefined) {
        if (existing.has(node)) missing.push({ node, reason: 'it has no agent pod any more' });
        continue;
      }
      const found = agentOf(node, pod);
      if ('url' in found) agents.push(found);
      else missing.push(found);
    }
    return { agents, missing };
  }

  return {
    agents: () => current().agents,
    missing: () => current().missing,
    close() {
      stopPods();
      stopNodes();
    },
  };
}

function agentOf(node: string, pod: AgentPod): Agent | MissingAgent {
  const podName = pod.metadata.name ?? '';
  const address = pod.status?.podIP ?? '';
  if (address === '' || isOver(pod)) {
    return { node, reason: `agent pod ${podName} is ${pod.status?.phase ?? 'Pending'}` };
  }
  const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  const port = ports.find(({ name }) => name === PORT_NAME)?.containerPort;
  if (port === undefined) return { node, reason: `agent pod ${podName} has no container port named ${PORT_NAME}` };
  const host = isIPv6(address) ? `[${address}]` : address;
  return { node, url: `http://${host}:${port}`, podName, ready: isReady(pod) };
}

/** While a node has two pods (an update, an eviction), the one more likely to answer. */
function rank(pod: AgentPod): number {
  let rank = 0;
  if (!isOver(pod)) rank += 8;
  if (isReady(pod)) rank += 4;
  if ((pod.status?.podIP ?? '') !== '') rank += 2;
  if (pod.metadata.deletionTimestamp === undefined) rank += 1;
  return rank;
}

function isOver(pod: AgentPod): boolean {
  return pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
}

function isReady(pod: AgentPod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}
