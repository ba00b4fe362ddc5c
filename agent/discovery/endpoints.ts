import type { TargetGroup } from '../../lib/config/index.ts';
import { type Labels, LabelsBuilder } from '../../lib/model/index.ts';
import { allContainers, joinHostPort, META_PREFIX, setObjectMeta, setPod } from './meta-labels.ts';
import type { Pod, Service } from './objects.ts';
import type { AttachedMetadata } from './pod.ts';
import {
  addressTypeOf,
  type EndpointPort,
  isHeadless,
  type ServiceEndpoint,
  serviceEndpoint,
} from './service-endpoints.ts';

/** Sets what only one of the two roles has: on the group, and on each target of an endpoint's port. */
interface EndpointsRole {
  readonly name: 'endpoints' | 'endpointslice';
  readonly includesTerminating: (service: Service) => boolean;
  setGroup(builder: LabelsBuilder, service: Service, addressType: string): void;
  setTarget(builder: LabelsBuilder, endpoint: ServiceEndpoint, port: EndpointPort): void;
}

/** Role `endpoints` (`discovery/kubernetes/endpoints.go`) over the pods of this node that the Service selects. */
export function endpointsGroup(service: Service, pods: readonly Pod[], attached: AttachedMetadata): TargetGroup {
  return build(ENDPOINTS, service, pods, attached);
}

/**
 * Role `endpointslice` (`discovery/kubernetes/endpointslice.go`). The name of a slice is random in Kubernetes and the
 * Service's name here; the zone comes with `attach_metadata.node`.
 */
export function endpointSliceGroup(service: Service, pods: readonly Pod[], attached: AttachedMetadata): TargetGroup {
  return build(ENDPOINT_SLICE, service, pods, attached);
}

const ENDPOINTS: EndpointsRole = {
  name: 'endpoints',
  includesTerminating: (service) => service.spec.publishNotReadyAddresses === true,
  setGroup(builder, service) {
    const labels = {
      ...service.metadata.labels,
      ...(isHeadless(service) ? { 'service.kubernetes.io/headless': '' } : {}),
      'endpoints.kubernetes.io/managed-by': 'endpoint-controller',
    };
    setObjectMeta(builder, { name: service.metadata.name ?? '', labels }, 'endpoints');
  },
  setTarget(builder, endpoint, port) {
    builder
      .set(`${META_PREFIX}endpoint_port_name`, port.name)
      .set(`${META_PREFIX}endpoint_port_protocol`, port.protocol)
      // An Endpoints object lists an address as ready by the pod's condition, terminating or not.
      .set(`${META_PREFIX}endpoint_ready`, String(endpoint.ready || endpoint.serving))
      .set(`${META_PREFIX}endpoint_address_target_kind`, 'Pod')
      .set(`${META_PREFIX}endpoint_address_target_name`, endpoint.pod.metadata.name ?? '')
      .set(`${META_PREFIX}endpoint_node_name`, endpoint.pod.spec.nodeName ?? '')
      .set(`${META_PREFIX}endpoint_hostname`, endpoint.hostname);
  },
};

const ENDPOINT_SLICE: EndpointsRole = {
  name: 'endpointslice',
  includesTerminating: () => true,
  setGroup(builder, service, addressType) {
    builder.set(`${META_PREFIX}endpointslice_address_type`, addressType);
    const labels = {
      ...service.metadata.labels,
      ...(isHeadless(service) ? { 'service.kubernetes.io/headless': '' } : {}),
      'kubernetes.io/service-name': service.metadata.name ?? '',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    };
    setObjectMeta(builder, { name: service.metadata.name ?? '', labels }, 'endpointslice');
  },
  setTarget(builder, endpoint, port) {
    const prefix = `${META_PREFIX}endpointslice`;
    builder
      .set(`${prefix}_port_name`, port.name)
      .set(`${prefix}_port_protocol`, port.protocol)
      .set(`${prefix}_port`, String(port.port))
      .set(`${prefix}_port_app_protocol`, port.appProtocol)
      .set(`${prefix}_endpoint_conditions_ready`, String(endpoint.ready))
      .set(`${prefix}_endpoint_conditions_serving`, String(endpoint.serving))
      .set(`${prefix}_endpoint_conditions_terminating`, String(endpoint.terminating))
      .set(`${prefix}_endpoint_hostname`, endpoint.hostname)
      .set(`${prefix}_address_target_kind`, 'Pod')
      .set(`${prefix}_address_target_name`, endpoint.pod.metadata.name ?? '')
      .set(`${prefix}_endpoint_node_name`, endpoint.pod.spec.nodeName ?? '');
  },
};

const ZONE_LABEL = 'topology.kubernetes.io/zone';

function build(role: EndpointsRole, service: Service, pods: readonly Pod[], attached: AttachedMetadata): TargetGroup {
  const { namespace = '', name = '' } = service.metadata;
  const addressType = addressTypeOf(service, pods);
  const common = new LabelsBuilder().set(`${META_PREFIX}namespace`, namespace);
  role.setGroup(common, service, addressType);
  setObjectMeta(common, service.metadata, 'service');
  const targets: Labels[] = [];
  for (const pod of pods) {
    const endpoint = serviceEndpoint(service, pod, addressType);
    if (endpoint === undefined || (endpoint.terminating && !role.includesTerminating(service))) continue;
    for (const port of endpoint.ports) targets.push(endpointTarget(role, endpoint, port, attached));
    // Prometheus learns of a pod from its endpoints' ports only.
    if (endpoint.ports.length > 0) targets.push(...otherPortTargets(endpoint, attached));
  }
  return { source: `${role.name}/${namespace}/${name}`, labels: common.labels(), targets };
}

function endpointTarget(
  role: EndpointsRole,
  endpoint: ServiceEndpoint,
  port: EndpointPort,
  attached: AttachedMetadata,
): Labels {
  const { pod } = endpoint;
  const builder = new LabelsBuilder().set('__address__', joinHostPort(endpoint.address, port.port));
  role.setTarget(builder, endpoint, port);
  if (attached.node !== undefined) {
    setObjectMeta(builder, attached.node.metadata, 'node');
    const zone = attached.node.metadata.labels?.[ZONE_LABEL] ?? '';
    if (role.name === 'endpointslice') builder.set(`${META_PREFIX}endpointslice_endpoint_zone`, zone);
  }
  setPod(builder, pod, attached);
  for (const [container, isInit] of allContainers(pod)) {
    const matching = container.ports?.find(({ containerPort }) => containerPort === port.port);
    if (matching === undefined) continue;
    const protocol = role.name === 'endpoints' ? port.protocol : (matching.protocol ?? 'TCP');
    builder
      .set(`${META_PREFIX}pod_container_name`, container.name)
      .set(`${META_PREFIX}pod_container_image`, container.image ?? '')
      .set(`${META_PREFIX}pod_container_port_name`, matching.name ?? '')
      .set(`${META_PREFIX}pod_container_port_number`, String(port.port))
      .set(`${META_PREFIX}pod_container_port_protocol`, protocol)
      .set(`${META_PREFIX}pod_container_init`, String(isInit));
  }
  return builder.labels();
}

/** A target for each container port that no port of the Service leads to, as Prometheus adds them. */
function otherPortTargets(endpoint: ServiceEndpoint, attached: AttachedMetadata): Labels[] {
  const { pod, ports } = endpoint;
  const podIp = pod.status.podIP ?? '';
  if (podIp === '') return [];
  const targets: Labels[] = [];
  for (const [container, isInit] of allContainers(pod)) {
    for (const containerPort of container.ports ?? []) {
      if (ports.some(({ port }) => port === containerPort.containerPort)) continue;
      const builder = new LabelsBuilder()
        .set('__address__', joinHostPort(podIp, containerPort.containerPort))
        .set(`${META_PREFIX}pod_container_name`, container.name)
        .set(`${META_PREFIX}pod_container_image`, container.image ?? '')
        .set(`${META_PREFIX}pod_container_port_name`, containerPort.name ?? '')
        .set(`${META_PREFIX}pod_container_port_number`, String(containerPort.containerPort))
        .set(`${META_PREFIX}pod_container_port_protocol`, containerPort.protocol ?? 'TCP')
        .set(`${META_PREFIX}pod_container_init`, String(isInit));
      setPod(builder, pod, attached);
      targets.push(builder.labels());
    }
  }
  return targets;
}
