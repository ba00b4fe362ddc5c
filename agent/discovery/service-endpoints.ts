import { matchesLabels } from '../../lib/kube/index.ts';
import { isPodReady } from './meta-labels.ts';
import type { Pod, Service, ServicePort } from './objects.ts';

/**
 * What Kubernetes's endpoint controllers would put into a Service's Endpoints and EndpointSlices for the pods of this
 * node. Watching those objects would send every change of a Service with a thousand pods to every node; the Services and
 * the node's own pods hold all that is needed. Follows `k8s.io/endpointslice` `utils.go`.
 */
export interface ServiceEndpoint {
  readonly pod: Pod;
  readonly address: string;
  /** Terminating pods are never ready unless the Service publishes not ready addresses. */
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly hostname: string;
  readonly ports: readonly EndpointPort[];
}

export interface EndpointPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly appProtocol: string;
}

export type AddressType = 'IPv4' | 'IPv6';

/** Services without a selector have endpoints that someone else writes; they are not on any node. */
export function selectsPods(service: Service): boolean {
  return service.spec.type !== 'ExternalName' && Object.keys(service.spec.selector ?? {}).length > 0;
}

export function selects(service: Service, pod: Pod): boolean {
  return (
    service.metadata.namespace === pod.metadata.namespace &&
    matchesLabels(service.spec.selector ?? {}, pod.metadata.labels)
  );
}

export function isHeadless(service: Service): boolean {
  return service.spec.clusterIP === 'None' || (service.spec.clusterIP ?? '') === '';
}

/** Of a dual-stack Service the first family counts, as in Prometheus. */
export function addressTypeOf(service: Service, pods: readonly Pod[]): AddressType {
  const family = service.spec.ipFamilies?.[0];
  if (family === 'IPv4' || family === 'IPv6') return family;
  return (pods[0]?.status.podIP ?? '').includes(':') ? 'IPv6' : 'IPv4';
}

/** The endpoint of one selected pod; undefined while the pod has no address or after it has ended. */
export function serviceEndpoint(service: Service, pod: Pod, addressType: AddressType): ServiceEndpoint | undefined {
  const { phase } = pod.status;
  if (phase === 'Succeeded' || phase === 'Failed') return undefined;
  const address = addressOf(pod, addressType);
  if (address === undefined) return undefined;
  const serving = isPodReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const named = (pod.spec.hostname ?? '') !== '' && pod.spec.subdomain === service.metadata.name;
  return {
    pod,
    address,
    ready: service.spec.publishNotReadyAddresses === true || (serving && !terminating),
    serving,
    terminating,
    hostname: named ? pod.spec.hostname! : '',
    ports: endpointPorts(service, pod),
  };
}

function addressOf(pod: Pod, addressType: AddressType): string | undefined {
  const isIpv6 = addressType === 'IPv6';
  const addresses = pod.status.podIPs?.map(({ ip }) => ip) ?? [];
  if (pod.status.podIP !== undefined && pod.status.podIP !== '') addresses.push(pod.status.podIP);
  return addresses.find((address) => address.includes(':') === isIpv6);
}

function endpointPorts(service: Service, pod: Pod): EndpointPort[] {
  const ports: EndpointPort[] = [];
  for (const servicePort of service.spec.ports ?? []) {
    const port = findPort(pod, servicePort);
    if (port === undefined) continue;
    const { name = '', protocol = 'TCP', appProtocol = '' } = servicePort;
    ports.push({ name, port, protocol, appProtocol });
  }
  return ports;
}

/** A number is taken as it is; a name is looked up in the containers and the sidecars (restartable init containers). */
function findPort(pod: Pod, servicePort: ServicePort): number | undefined {
  const { targetPort = servicePort.port, protocol = 'TCP' } = servicePort;
  if (typeof targetPort === 'number') return targetPort === 0 ? servicePort.port : targetPort;
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const { ports = [] } of [...pod.spec.containers, ...sidecars]) {
    const found = ports.find((port) => port.name === targetPort && (port.protocol ?? 'TCP') === protocol);
    if (found !== undefined) return found.containerPort;
  }
  return undefined;
}
