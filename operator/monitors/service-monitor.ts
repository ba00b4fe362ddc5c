import type { RelabelConfig, ScrapeConfigDraft } from '../../lib/config/index.ts';
import type { ServiceMonitor, ServiceMonitorEndpoint } from '../resources/index.ts';
import type { CredentialSource } from './credentials.ts';
import { buildJob, type MonitorOptions } from './job.ts';
import { sanitizeLabelName } from './label-names.ts';
import { within } from './rejection.ts';
import {
  containerPortRules,
  copyRule,
  JOB_NAME_RULE,
  portRule,
  RUNNING_FILTER,
  targetLabelRules,
} from './relabel-rules.ts';
import { selectorRules } from './selector-rules.ts';

type EndpointsRole = MonitorOptions['serviceDiscoveryRole'];

/**
 * The jobs `serviceMonitor/<namespace>/<name>/<i>`, one per endpoint (`generateServiceMonitorConfig`).
 * @throws PromletError naming the field
 */
export function serviceMonitorJobs(
  monitor: ServiceMonitor,
  options: MonitorOptions,
  credentials: CredentialSource,
): ScrapeConfigDraft[] {
  const { metadata, spec } = monitor;
  const role = (spec.serviceDiscoveryRole?.toLowerCase() as EndpointsRole | undefined) ?? options.serviceDiscoveryRole;
  return spec.endpoints.map((endpoint, i) =>
    within(`spec.endpoints[${i}]`, () => {
      const jobName = `serviceMonitor/${metadata.namespace}/${metadata.name}/${i}`;
      const relabelConfigs = serviceRules(monitor, endpoint, role);
      return buildJob({ jobName, monitor, endpoint, role, relabelConfigs }, options, credentials);
    }),
  );
}

/** Meta labels of an address, which are named after the role. */
const ADDRESS_LABELS = {
  endpoints: {
    portName: '__meta_kubernetes_endpoint_port_name',
    target: ['__meta_kubernetes_endpoint_address_target_kind', '__meta_kubernetes_endpoint_address_target_name'],
    nodeName: '__meta_kubernetes_endpoint_node_name',
  },
  endpointslice: {
    portName: '__meta_kubernetes_endpointslice_port_name',
    target: [
      '__meta_kubernetes_endpointslice_address_target_kind',
      '__meta_kubernetes_endpointslice_address_target_name',
    ],
    nodeName: '__meta_kubernetes_endpointslice_endpoint_node_name',
  },
} as const;

function serviceRules(monitor: ServiceMonitor, endpoint: ServiceMonitorEndpoint, role: EndpointsRole): RelabelConfig[] {
  const { spec } = monitor;
  const address = ADDRESS_LABELS[role];
  return [
    JOB_NAME_RULE,
    ...selectorRules(spec.selector, 'service'),
    ...(endpoint.port ? [portRule(address.portName, endpoint.port)] : containerPortRules(endpoint.targetPort)),
    targetKindRule(address.target, 'Node', 'node'),
    targetKindRule(address.target, 'Pod', 'pod'),
    { source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' },
    { source_labels: ['__meta_kubernetes_service_name'], target_label: 'service' },
    { source_labels: ['__meta_kubernetes_pod_name'], target_label: 'pod' },
    { source_labels: ['__meta_kubernetes_pod_container_name'], target_label: 'container' },
    ...(endpoint.filterRunning === false ? [] : [RUNNING_FILTER]),
    ...targetLabelRules('service', spec.targetLabels),
    ...targetLabelRules('pod', spec.podTargetLabels),
    { source_labels: ['__meta_kubernetes_service_name'], target_label: 'job', replacement: '${1}' },
    ...(spec.jobLabel ? [copyRule(`__meta_kubernetes_service_label_${sanitizeLabelName(spec.jobLabel)}`, 'job')] : []),
    ...endpointLabelRules(endpoint.port || endpoint.targetPort),
    // Ours: every target says which node it is on. The pod's word counts more than the address's.
    copyRule(address.nodeName, 'node'),
    copyRule('__meta_kubernetes_pod_node_name', 'node'),
  ];
}

/** Copies the name of what an address stands for, where it is of this kind. */
function targetKindRule(source: readonly string[], kind: string, label: string): RelabelConfig {
  return {
    source_labels: source,
    separator: ';',
    regex: `${kind};(.*)`,
    replacement: '${1}',
    target_label: label,
  };
}

/** The `endpoint` label: the port's name, else its number. */
export function endpointLabelRules(port: string | number | undefined): RelabelConfig[] {
  return port === undefined || port === '' ? [] : [{ target_label: 'endpoint', replacement: String(port) }];
}
