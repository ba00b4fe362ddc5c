import { podMonitor } from './pod-monitor.ts';
import type { ResourceDefinition } from './resource.ts';
import { serviceMonitor } from './service-monitor.ts';

/** Every custom resource of the operator; a file in `crds/` each. */
export const RESOURCES: readonly ResourceDefinition[] = [podMonitor, serviceMonitor];
