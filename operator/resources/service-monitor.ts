import { z } from 'zod';
import { tlsConfig } from './http-config.ts';
import { type CustomResource, defineResource } from './resource.ts';
import { intOrString, text, textList } from './scalars.ts';
import { endpointFields, monitorFields } from './scrape-options.ts';
import { labelSelector } from './selectors.ts';
import { monitorStatus } from './status.ts';

const endpoint = z.object({
  ...endpointFields,
  bearerTokenFile: text('Refused: files of the scraper are not readable by monitors.'),
  port: text('Name of the Service port; wins over targetPort.'),
  targetPort: intOrString('Name or number of the container port.'),
  tlsConfig: tlsConfig.optional(),
});

const spec = z
  .object({
    ...monitorFields,
    endpoints: z.array(endpoint).describe('How to scrape, one job per item.'),
    selector: labelSelector('Services to scrape.'),
    serviceDiscoveryRole: z
      .enum(['Endpoints', 'EndpointSlice'])
      .describe("Role of the discovery; the operator's by default.")
      .optional(),
    targetLabels: textList('Labels of the Service to copy onto its targets.'),
  })
  .describe('Which Services to scrape, and how.');

/** monitoring.coreos.com/v1 ServiceMonitor (prometheus-operator `servicemonitor_types.go`, v0.93). */
export const serviceMonitor = defineResource({
  group: 'monitoring.coreos.com',
  version: 'v1',
  kind: 'ServiceMonitor',
  plural: 'servicemonitors',
  shortNames: ['smon'],
  categories: ['prometheus-operator'],
  description: 'Scrapes the pods behind Services.',
  spec,
  status: monitorStatus,
});

export type ServiceMonitorEndpoint = z.infer<typeof endpoint>;
export type ServiceMonitorSpec = z.infer<typeof spec>;
export type ServiceMonitor = CustomResource<ServiceMonitorSpec>;
