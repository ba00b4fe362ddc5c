/** The parts of Pods, Services and Nodes (`core/v1`) that discovery reads; the rest is dropped before it is kept. */
import type { KubeObject, ObjectMeta } from '../../lib/kube/index.ts';

export interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly ports?: readonly ContainerPort[];
  readonly restartPolicy?: string;
}

export interface ContainerStatus {
  readonly name: string;
  readonly containerID?: string;
}

export interface Pod extends KubeObject {
  readonly spec: {
    readonly nodeName?: string;
    readonly hostname?: string;
    readonly subdomain?: string;
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
  };
  readonly status: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly hostIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
  readonly targetPort?: number | string;
  readonly appProtocol?: string;
}

export interface Service extends KubeObject {
  readonly spec: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly ServicePort[];
    readonly publishNotReadyAddresses?: boolean;
    readonly ipFamilies?: readonly string[];
  };
}

export type Node = KubeObject;

/** Own nodes run about a hundred pods, but a pod object may be 100 kB: only what targets are built from is kept. */
export function leanPod(pod: Pod): Pod {
  const { spec, status } = pod;
  return {
    metadata: leanMeta(pod.metadata),
    spec: {
      ...defined('nodeName', spec?.nodeName),
      ...defined('hostname', spec?.hostname),
      ...defined('subdomain', spec?.subdomain),
      containers: (spec?.containers ?? []).map(leanContainer),
      initContainers: (spec?.initContainers ?? []).map(leanContainer),
    },
    status: {
      ...defined('phase', status?.phase),
      ...defined('podIP', status?.podIP),
      ...defined('podIPs', status?.podIPs),
      ...defined('hostIP', status?.hostIP),
      conditions: (status?.conditions ?? []).filter(({ type }) => type === 'Ready').map(leanCondition),
      containerStatuses: (status?.containerStatuses ?? []).map(leanContainerStatus),
      initContainerStatuses: (status?.initContainerStatuses ?? []).map(leanContainerStatus),
    },
  };
}

export function leanService(service: Service): Service {
  const { spec } = service;
  return {
    metadata: leanMeta(service.metadata),
    spec: {
      ...defined('type', spec?.type),
      ...defined('clusterIP', spec?.clusterIP),
      ...defined('selector', spec?.selector),
      ...defined('ports', spec?.ports),
      ...defined('publishNotReadyAddresses', spec?.publishNotReadyAddresses),
      ...defined('ipFamilies', spec?.ipFamilies),
    },
  };
}

export function leanNode(node: Node): Node {
  return { metadata: leanMeta(node.metadata) };
}

function leanMeta(meta: ObjectMeta): ObjectMeta {
  const { managedFields: _, ...rest } = meta;
  return rest;
}

function leanContainer(container: Container): Container {
  const { name, image, ports, restartPolicy } = container;
  return {
    name,
    ...defined('image', image),
    ...defined('ports', ports),
    ...defined('restartPolicy', restartPolicy),
  };
}

function leanContainerStatus({ name, containerID }: ContainerStatus): ContainerStatus {
  return { name, ...defined('containerID', containerID) };
}

function leanCondition({ type, status }: { readonly type: string; readonly status: string }) {
  return { type, status };
}

function defined<Name extends string, T>(name: Name, value: T | undefined): { [K in Name]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { [K in Name]?: T };
}
