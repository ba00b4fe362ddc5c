import type { TargetGroup } from '../../lib/config/index.ts';
import { Labels, LabelsBuilder } from '../../lib/model/index.ts';
import { allContainers, joinHostPort, META_PREFIX, setObjectMeta, setPod } from './meta-labels.ts';
import type { Container, ContainerPort, Node, Pod } from './objects.ts';

export interface AttachedMetadata {
  /** Our own node, when `attach_metadata.node` asks for its labels. */
  readonly node: Node | undefined;
  /** `attach_metadata.job`. */
  readonly job: boolean;
}

/** Role `pod`: one target per container port, one per container without ports (`discovery/kubernetes/pod.go`). */
export function podGroup(pod: Pod, attached: AttachedMetadata): TargetGroup {
  const { namespace = '', name = '' } = pod.metadata;
  const source = `pod/${namespace}/${name}`;
  const podIp = pod.status.podIP ?? '';
  if (podIp === '') return { source, labels: Labels.EMPTY, targets: [] };
  const common = new LabelsBuilder().set(`${META_PREFIX}namespace`, namespace);
  setPod(common, pod, attached);
  if (attached.node !== undefined) setObjectMeta(common, attached.node.metadata, 'node');
  const targets: Labels[] = [];
  for (const [container, isInit] of allContainers(pod)) {
    const ports = container.ports ?? [];
    if (ports.length === 0) targets.push(portlessTarget(pod, podIp, container, isInit));
    for (const port of ports) targets.push(portTarget(pod, podIp, container, isInit, port));
  }
  return { source, labels: common.labels(), targets };
}

function portlessTarget(pod: Pod, podIp: string, container: Container, isInit: boolean): Labels {
  return containerLabels(pod, container, isInit).set('__address__', podIp).labels();
}

function portTarget(pod: Pod, podIp: string, container: Container, isInit: boolean, port: ContainerPort): Labels {
  return containerLabels(pod, container, isInit)
    .set('__address__', joinHostPort(podIp, port.containerPort))
    .set(`${META_PREFIX}pod_container_port_number`, String(port.containerPort))
    .set(`${META_PREFIX}pod_container_port_name`, port.name ?? '')
    .set(`${META_PREFIX}pod_container_port_protocol`, port.protocol ?? 'TCP')
    .labels();
}

function containerLabels(pod: Pod, container: Container, isInit: boolean): LabelsBuilder {
  const statuses = isInit ? pod.status.initContainerStatuses : pod.status.containerStatuses;
  const id = statuses?.find(({ name }) => name === container.name)?.containerID ?? '';
  return new LabelsBuilder()
    .set(`${META_PREFIX}pod_container_name`, container.name)
    .set(`${META_PREFIX}pod_container_id`, id)
    .set(`${META_PREFIX}pod_container_image`, container.image ?? '')
    .set(`${META_PREFIX}pod_container_init`, String(isInit));
}
