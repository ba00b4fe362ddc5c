export { formatCustomResourceDefinition, toCustomResourceDefinition } from './crd.ts';
export { RESOURCES } from './definitions.ts';
export type { Authorization, BasicAuth, SafeTlsConfig, TlsConfig } from './http-config.ts';
export { podMonitor, type PodMonitor, type PodMonitorEndpoint, type PodMonitorSpec } from './pod-monitor.ts';
export type { RelabelConfig } from './relabel-config.ts';
export type { CustomResource, ResourceDefinition, ResourceMetadata } from './resource.ts';
export type { LabelSelector, NamespaceSelector, SecretKeySelector, SecretOrConfigMap } from './selectors.ts';
export {
  serviceMonitor,
  type ServiceMonitor,
  type ServiceMonitorEndpoint,
  type ServiceMonitorSpec,
} from './service-monitor.ts';
export type { Condition, MonitorStatus } from './status.ts';
