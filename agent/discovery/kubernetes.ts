import type { KubernetesSdConfig, TargetGroup } from '../../lib/config/index.ts';
import {
  type KubeClient,
  type KubeObject,
  NODES,
  PODS,
  type Reflector,
  type Selection,
  SERVICES,
} from '../../lib/kube/index.ts';
import { PromletError } from '../../lib/model/index.ts';
import { endpointSliceGroup, endpointsGroup } from './endpoints.ts';
import { leanNode, leanPod, leanService, type Node, type Pod, type Service } from './objects.ts';
import { type AttachedMetadata, podGroup } from './pod.ts';
import type { Provider } from './provider.ts';
import { ServiceIndex } from './service-index.ts';
import type { SharedReflectors } from './shared-reflectors.ts';

export interface KubernetesProviderOptions {
  readonly config: KubernetesSdConfig;
  readonly nodeName: string;
  readonly client: Pick<KubeClient, 'namespace'>;
  readonly reflectors: SharedReflectors;
  readonly onChange: () => void;
}

/**
 * Refuses what an agent does not serve, before anything of a new configuration is applied.
 * @throws PromletError `discovery/unsupported`
 */
export function checkKubernetesConfig(config: KubernetesSdConfig, nodeName: string | undefined): void {
  const refuse = (what: string): never => {
    throw new PromletError('discovery/unsupported', `kubernetes_sd_configs: ${what}`);
  };
  const { role, attach_metadata: attach } = config;
  if (role !== 'pod' && role !== 'endpoints' && role !== 'endpointslice') {
    refuse(`role "${role}" is not served by an agent (pod, endpoints and endpointslice are)`);
  }
  if (nodeName === undefined) refuse('the name of this node is not known: set --node-name or NODE_NAME');
  if (config.api_server !== undefined && config.api_server !== '') {
    refuse('api_server is not supported: an agent has one API server (--kubeconfig or its service account)');
  }
  if (config.kubeconfig_file !== undefined && config.kubeconfig_file !== '') {
    refuse('kubeconfig_file is not supported: start the agent with --kubeconfig');
  }
  for (const selector of config.selectors) {
    if (selector.role === 'pod' || (selector.role === 'service' && role !== 'pod')) continue;
    refuse(`a selector of role "${selector.role}" is not supported for role "${role}" on an agent`);
  }
  if (attach.namespace) refuse('attach_metadata.namespace is not supported on an agent');
  if (attach.deployment) refuse('attach_metadata.deployment is not supported on an agent');
  if (attach.cronjob) refuse('attach_metadata.cronjob is not supported on an agent');
}

/**
 * One `kubernetes_sd_configs` entry, served node-locally: the pods of this node, alone or joined with the Services that
 * select them.
 */
export class KubernetesProvider implements Provider {
  readonly #options: KubernetesProviderOptions;
  readonly #pods: readonly Reflector<Pod>[];
  readonly #services: readonly Reflector<Service>[];
  readonly #node: Reflector<Node> | undefined;
  readonly #serviceIndex = new ServiceIndex();
  readonly #releases: (() => void | Promise<void>)[] = [];
  /** A pod is built again only when it, or the node whose labels it carries, changed. */
  #podGroups = new WeakMap<Pod, TargetGroup>();

  constructor(options: KubernetesProviderOptions) {
    this.#options = options;
    const { config, nodeName } = options;
    const namespaces = namespacesOf(config, options.client.namespace);
    const podSelection = selectionOf(config, 'pod', `spec.nodeName=${nodeName}`);
    this.#pods = namespaces.map((namespace) => this.#acquire(PODS, { namespace, ...podSelection }, leanPod));
    const serviceSelection = selectionOf(config, 'service');
    this.#services =
      config.role === 'pod'
        ? []
        : namespaces.map((namespace) => this.#acquire(SERVICES, { namespace, ...serviceSelection }, leanService));
    this.#node = config.attach_metadata.node
      ? this.#acquire(NODES, { fieldSelector: `metadata.name=${nodeName}` }, leanNode)
      : undefined;
    this.#listen();
  }

  groups(): readonly TargetGroup[] | undefined {
    const sources = [...this.#pods, ...this.#services, ...(this.#node === undefined ? [] : [this.#node])];
    if (!sources.every((reflector) => reflector.hasSynced)) return undefined;
    const attached: AttachedMetadata = {
      node: this.#node?.objects.values().next().value,
      job: this.#options.config.attach_metadata.job,
    };
    return this.#options.config.role === 'pod' ? this.#byPod(attached) : this.#byService(attached);
  }

  async stop(): Promise<void> {
    for (const release of this.#releases) await release();
  }

  #byPod(attached: AttachedMetadata): TargetGroup[] {
    const groups: TargetGroup[] = [];
    for (const pod of this.#allPods()) {
      let group = this.#podGroups.get(pod);
      if (group === undefined) this.#podGroups.set(pod, (group = podGroup(pod, attached)));
      groups.push(group);
    }
    return groups;
  }

  #byService(attached: AttachedMetadata): TargetGroup[] {
    const selected = new Map<Service, Pod[]>();
    for (const pod of this.#allPods()) {
      for (const service of this.#serviceIndex.selecting(pod)) {
        const pods = selected.get(service);
        if (pods === undefined) selected.set(service, [pod]);
        else pods.push(pod);
      }
    }
    const build = this.#options.config.role === 'endpoints' ? endpointsGroup : endpointSliceGroup;
    return [...selected].map(([service, pods]) => build(service, pods, attached));
  }

  *#allPods(): Generator<Pod> {
    for (const reflector of this.#pods) yield* reflector.objects.values();
  }

  #acquire<T extends KubeObject>(
    resource: typeof PODS,
    selection: Selection,
    transform: (object: T) => T,
  ): Reflector<T> {
    const { reflector, release } = this.#options.reflectors.acquire(resource, selection, transform);
    this.#releases.push(release);
    // An empty list changes nothing, yet from then on "no targets" is known.
    void reflector.synced.then(this.#options.onChange);
    return reflector;
  }

  #listen(): void {
    const { onChange } = this.#options;
    for (const reflector of this.#pods) this.#releases.unshift(reflector.subscribe(onChange));
    for (const reflector of this.#services) {
      for (const service of reflector.objects.values()) this.#serviceIndex.add(service);
      const unsubscribe = reflector.subscribe((event) => {
        if (event.type === 'update') this.#serviceIndex.remove(event.previous);
        if (event.type === 'delete') this.#serviceIndex.remove(event.object);
        else this.#serviceIndex.add(event.object);
        onChange();
      });
      this.#releases.unshift(unsubscribe);
    }
    if (this.#node !== undefined) {
      const unsubscribe = this.#node.subscribe(() => {
        this.#podGroups = new WeakMap();
        onChange();
      });
      this.#releases.unshift(unsubscribe);
    }
  }
}

/** `[undefined]`: all namespaces. */
function namespacesOf(config: KubernetesSdConfig, ownNamespace: string): readonly (string | undefined)[] {
  const names = new Set(config.namespaces.names);
  if (config.namespaces.own_namespace) names.add(ownNamespace);
  return names.size === 0 ? [undefined] : [...names];
}

function selectionOf(config: KubernetesSdConfig, role: 'pod' | 'service', ownField = ''): Selection {
  const selector = config.selectors.find((candidate) => candidate.role === role);
  const field = [ownField, selector?.field ?? ''].filter((part) => part !== '').join(',');
  const label = selector?.label ?? '';
  return {
    ...(field === '' ? {} : { fieldSelector: field }),
    ...(label === '' ? {} : { labelSelector: label }),
  };
}
