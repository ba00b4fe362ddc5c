export { isKubeError, KubeApiError } from './api-error.ts';
export {
  type ApplyOptions,
  createKubeClient,
  type DeleteOptions,
  KubeClient,
  type KubeClientOptions,
  type ListOptions,
  type ObjectName,
  type PatchType,
  type RequestOptions,
  type Selection,
  type WatchOptions,
} from './client.ts';
export { EventRecorder, type EventRecorderOptions } from './event-recorder.ts';
export { LeaderElector, type LeaderElectorOptions, type Lease } from './leader-election.ts';
export {
  type KubeList,
  type KubeObject,
  type LabelSelector,
  objectKey,
  type ObjectMeta,
  type OwnerReference,
  type Status,
  type WatchEvent,
} from './objects.ts';
export { Reflector, type ReflectorMetrics, type ReflectorOptions, type StoreEvent } from './reflector.ts';
export {
  apiVersionOf,
  EVENTS,
  LEASES,
  NAMESPACES,
  NODES,
  PODS,
  type Resource,
  resourcePath,
  SECRETS,
  SERVICES,
} from './resources.ts';
export { matchesLabels, matchesLabelSelector } from './selectors.ts';
