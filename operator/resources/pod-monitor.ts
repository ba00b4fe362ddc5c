import { z } from 'zod';
import { safeTlsConfig } from './http-config.ts';
import { type CustomResource, defineResource } from './resource.ts';
import { intOrString, text } from './scalars.ts';
import { endpointFields, monitorFields } from './scrape-options.ts';
import { labelSelector } from './selectors.ts';
import { monitorStatus } from './status.ts';

const endpoint = z.object({
  ...endpointFields,
  port: text('Name of the container port; wins over portNumber and targetPort.'),
  portNumber: z
    .int()
    .min(1)
    .max(65_535)
    .meta({ description: 'Number of a declared container port.', format: 'int32' })
    .optional(),
  targetPort: intOrString('Name or number of the container port; deprecated.'),
  tlsConfig: safeTlsConfig.optional(),
});

const spec = z
  .object({
    ...monitorFields,
    podMetricsEndpoints: z.array(endpoint).describe('How to scrape, one job per item.').optional(),
    selector: labelSelector('Pods to scrape.'),
  })
  .describe('Which Pods to scrape, and how.');

/** monitoring.coreos.com/v1 PodMonitor (prometheus-operator `podmonitor_types.go`, v0.93). */
export const podMonitor = defineResource({
  group: 'monitoring.coreos.com',
  version: 'v1',
  kind: 'PodMonitor',
  plural: 'podmonitors',
  shortNames: ['pmon'],
  categories: ['prometheus-operator'],
  description: 'Scrapes Pods.',
  spec,
  status: monitorStatus,
});

export type PodMonitorEndpoint = z.infer<typeof endpoint>;
export type PodMonitorSpec = z.infer<typeof spec>;
export type PodMonitor = CustomResource<PodMonitorSpec>;
