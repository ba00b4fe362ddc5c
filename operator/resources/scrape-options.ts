import { z } from 'zod';
import { authorization, basicAuth, oauth2, proxyFields } from './http-config.ts';
import { relabelConfigs } from './relabel-config.ts';
import { byteSize, duration, flag, limit, quantity, text } from './scalars.ts';
import { namespaceSelector, secretKeySelector } from './selectors.ts';

const SCRAPE_PROTOCOLS = [
  'PrometheusProto',
  'OpenMetricsText0.0.1',
  'OpenMetricsText1.0.0',
  'PrometheusText0.0.4',
  'PrometheusText1.0.0',
] as const;

/** What every endpoint of a ServiceMonitor and a PodMonitor has. */
export const endpointFields = {
  authorization: authorization.optional(),
  basicAuth: basicAuth.optional(),
  bearerTokenSecret: secretKeySelector('Bearer token; deprecated, use authorization.').optional(),
  enableHttp2: flag('Whether HTTP/2 may be used.'),
  filterRunning: flag('Drop pods that failed or completed; true by default.'),
  followRedirects: flag('Whether redirects are followed.'),
  honorLabels: flag("Labels of the scraped page win over the target's."),
  honorTimestamps: flag('Keep timestamps of the scraped page.'),
  interval: duration('Scrape interval; the global one by default.'),
  metricRelabelings: relabelConfigs('Relabelling of samples before they are stored.'),
  oauth2: oauth2.optional(),
  params: z.record(z.string(), z.array(z.string())).describe('URL parameters.').optional(),
  path: text('HTTP path; /metrics by default.'),
  relabelings: relabelConfigs('Relabelling of targets.'),
  scheme: z.enum(['http', 'https', 'HTTP', 'HTTPS']).describe('Scheme; http by default.').optional(),
  scrapeTimeout: duration('Scrape timeout; at most the interval.'),
  trackTimestampsStaleness: flag('Staleness of series that carry timestamps.'),
  ...proxyFields,
};

/** What the spec of every kind of monitor has. */
export const monitorFields = {
  attachMetadata: z
    .object({ node: flag('Attach labels of the node.') })
    .describe('More metadata on discovered targets.')
    .optional(),
  bodySizeLimit: byteSize('Largest page accepted, uncompressed.'),
  convertClassicHistogramsToNHCB: flag('Store classic histograms as native ones with custom buckets.'),
  fallbackScrapeProtocol: z
    .enum(SCRAPE_PROTOCOLS)
    .describe('Protocol to assume when Content-Type is missing or invalid.')
    .optional(),
  jobLabel: text('Label of the Service or Pod whose value becomes the job label.'),
  keepDroppedTargets: limit('Dropped targets kept for display; 0 is no limit.'),
  labelLimit: limit('Labels per sample.'),
  labelNameLengthLimit: limit('Length of a label name.'),
  labelValueLengthLimit: limit('Length of a label value.'),
  namespaceSelector: namespaceSelector.optional(),
  nativeHistogramBucketLimit: limit('Buckets of a native histogram before they are merged.'),
  nativeHistogramMinBucketFactor: quantity('Smallest growth factor between native histogram buckets.'),
  podTargetLabels: z.array(z.string()).describe('Labels of the Pod to copy onto its targets.').optional(),
  sampleLimit: limit('Samples per scrape.'),
  scrapeClass: z.string().min(1).describe('Scrape class; none are defined here.').optional(),
  scrapeClassicHistograms: flag('Scrape classic histograms beside native ones.'),
  scrapeNativeHistograms: flag('Scrape native histograms.'),
  scrapeProtocols: z
    .array(z.enum(SCRAPE_PROTOCOLS))
    .meta({ description: 'Protocols to negotiate, preferred first.', 'x-kubernetes-list-type': 'set' })
    .optional(),
  selectorMechanism: z
    .enum(['RelabelConfig', 'RoleSelector'])
    .describe('How targets are selected; both have the same effect.')
    .optional(),
  targetLimit: limit('Targets per endpoint.'),
};
