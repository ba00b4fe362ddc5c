import type { RelabelConfig, ScrapeConfigDraft } from '../../lib/config/index.ts';
import type { PodMonitor, PodMonitorEndpoint } from '../resources/index.ts';
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
import { endpointLabelRules } from './service-monitor.ts';

/**
 * The jobs `podMonitor/<namespace>/<name>/<i>`, one per endpoint (`generatePodMonitorConfig`).
 * @throws PromletError naming the field
 */
export function podMonitorJobs(
  monitor: PodMonitor,
  options: MonitorOptions,
  credentials: CredentialSource,
): ScrapeConfigDraft[] {
  const { metadata, spec } = monitor;
  return (spec.podMetricsEndpoints ?? []).map((endpoint, i) =>
    within(`spec.podMetricsEndpoints[${i}]`, () => {
      const jobName = `podMonitor/${metadata.namespace}/${metadata.name}/${i}`;
      const relabelConfigs = podRules(monitor, endpoint);
      return buildJob({ jobName, monitor, endpoint, role: 'pod', relabelConfigs }, options, credentials);
    }),
  );
}

function podRules({ metadata, spec }: PodMonitor, endpoint: PodMonitorEndpoint): RelabelConfig[] {
  return [
    JOB_NAME_RULE,
    ...(endpoint.filterRunning === false ? [] : [RUNNING_FILTER]),
    ...selectorRules(spec.selector, 'pod'),
    ...podPortRules(endpoint),
    { source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' },
    { source_labels: ['__meta_kubernetes_pod_container_name'], target_label: 'container' },
    { source_labels: ['__meta_kubernetes_pod_name'], target_label: 'pod' },
    ...targetLabelRules('pod', spec.podTargetLabels),
    { target_label: 'job', replacement: `${metadata.namespace}/${metadata.name}` },
    ...(spec.jobLabel ? [copyRule(`__meta_kubernetes_pod_label_${sanitizeLabelName(spec.jobLabel)}`, 'job')] : []),
    ...endpointLabelRules(endpoint.port || endpoint.targetPort),
    // Ours: every target says which node it is on.
    copyRule('__meta_kubernetes_pod_node_name', 'node'),
  ];
}

function podPortRules(endpoint: PodMonitorEndpoint): RelabelConfig[] {
  if (endpoint.port) return [portRule('__meta_kubernetes_pod_container_port_name', endpoint.port)];
  return containerPortRules(endpoint.portNumber ?? endpoint.targetPort);
}
