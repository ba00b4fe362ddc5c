import type { ScrapeConfigDraft } from '../../lib/config/index.ts';
import { errorMessage, PromletError } from '../../lib/model/index.ts';
import {
  podMonitor,
  type PodMonitor,
  type ResourceDefinition,
  serviceMonitor,
  type ServiceMonitor,
} from '../resources/index.ts';
import type { CredentialReference, CredentialSource } from './credentials.ts';
import type { MonitorOptions } from './job.ts';
import { podMonitorJobs } from './pod-monitor.ts';
import { serviceMonitorJobs } from './service-monitor.ts';

/** One kind of monitor: its resource, and how its objects become jobs. */
export interface MonitorKind<Monitor = unknown> {
  readonly resource: ResourceDefinition;
  readonly jobs: (monitor: Monitor, options: MonitorOptions, credentials: CredentialSource) => ScrapeConfigDraft[];
}

const serviceMonitors: MonitorKind<ServiceMonitor> = { resource: serviceMonitor, jobs: serviceMonitorJobs };
const podMonitors: MonitorKind<PodMonitor> = { resource: podMonitor, jobs: podMonitorJobs };

/** In the order of their jobs in the configuration, as upstream. */
export const MONITOR_KINDS = [serviceMonitors, podMonitors] as readonly MonitorKind[];

/** What became of one monitor. */
export interface MonitorResult {
  /** Empty when rejected. */
  readonly jobs: readonly ScrapeConfigDraft[];
  /** Why it was rejected; undefined when it was accepted. */
  readonly rejection: string | undefined;
  /** Secrets and ConfigMaps it took values from, found or not. */
  readonly references: readonly CredentialReference[];
}

/**
 * One monitor as the API server gave it → its jobs, or the reason why there are none. Never throws for bad input, so one
 * monitor cannot affect another.
 */
export function resolveMonitor(
  kind: MonitorKind,
  object: unknown,
  options: MonitorOptions,
  credentials: CredentialSource,
): MonitorResult {
  const references: CredentialReference[] = [];
  try {
    const monitor = kind.resource.parse(object);
    const jobs = kind.jobs(monitor, options, (reference) => {
      references.push(reference);
      return credentials(reference);
    });
    return { jobs, rejection: undefined, references };
  } catch (error) {
    if (!(error instanceof PromletError)) throw error;
    return { jobs: [], rejection: errorMessage(error), references };
  }
}
