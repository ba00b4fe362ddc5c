import type { RelabelConfig, ScrapeConfigDraft } from '../../lib/config/index.ts';
import { formatDuration, parseDuration } from '../../lib/model/index.ts';
import type {
  NamespaceSelector,
  PodMonitor,
  PodMonitorEndpoint,
  ServiceMonitor,
  ServiceMonitorEndpoint,
} from '../resources/index.ts';
import { CredentialReader, type CredentialSource } from './credentials.ts';
import { httpClient } from './http-client.ts';
import { parseByteSize, parseQuantity } from './quantity.ts';
import { rejection, within } from './rejection.ts';
import { userRules } from './relabel-rules.ts';

export interface MonitorOptions {
  /** Scrape interval of monitors that name none; ms. */
  readonly scrapeIntervalMs: number;
  /** Role of ServiceMonitors that name none. */
  readonly serviceDiscoveryRole: 'endpoints' | 'endpointslice';
}

/** What the job of one endpoint is built from. */
export interface JobParts {
  readonly jobName: string;
  readonly monitor: ServiceMonitor | PodMonitor;
  readonly endpoint: ServiceMonitorEndpoint | PodMonitorEndpoint;
  readonly role: 'pod' | 'endpoints' | 'endpointslice';
  /** The operator's rules; the user's follow. */
  readonly relabelConfigs: readonly RelabelConfig[];
}

/**
 * One job: what ServiceMonitor and PodMonitor have in common (prometheus-operator `pkg/prometheus/promcfg.go`).
 * @throws PromletError naming the field
 */
export function buildJob(parts: JobParts, options: MonitorOptions, source: CredentialSource): ScrapeConfigDraft {
  const { endpoint, monitor } = parts;
  const { metadata, spec } = monitor;
  if (spec.scrapeClass !== undefined) throw rejection(`scrapeClass: "${spec.scrapeClass}" is not defined`);
  return {
    job_name: parts.jobName,
    honor_labels: endpoint.honorLabels ?? false,
    honor_timestamps: endpoint.honorTimestamps,
    track_timestamps_staleness: endpoint.trackTimestampsStaleness,
    kubernetes_sd_configs: [
      {
        role: parts.role,
        namespaces: namespaces(spec.namespaceSelector, metadata.namespace),
        attach_metadata: spec.attachMetadata && { node: spec.attachMetadata.node ?? false },
      },
    ],
    ...timing(endpoint, options),
    metrics_path: endpoint.path || undefined,
    params: endpoint.params,
    scheme: endpoint.scheme?.toLowerCase(),
    ...httpClient(endpoint, new CredentialReader(metadata.namespace, source)),
    relabel_configs: [...parts.relabelConfigs, ...userRules('relabelings', endpoint.relabelings)],
    ...limits(spec),
    ...protocols(spec),
    metric_relabel_configs: endpoint.metricRelabelings?.length
      ? userRules('metricRelabelings', endpoint.metricRelabelings)
      : undefined,
  };
}

/** The monitor's own namespace by default; all of them as an absent field. */
function namespaces(selector: NamespaceSelector | undefined, own: string): { names: readonly string[] } | undefined {
  if (selector?.any) return undefined;
  return { names: selector?.matchNames?.length ? selector.matchNames : [own] };
}

function timing(endpoint: JobParts['endpoint'], options: MonitorOptions): ScrapeConfigDraft {
  const intervalMs = optionalDuration('interval', endpoint.interval);
  const timeoutMs = optionalDuration('scrapeTimeout', endpoint.scrapeTimeout);
  const effectiveMs = intervalMs || options.scrapeIntervalMs;
  if (timeoutMs !== undefined && timeoutMs > effectiveMs) {
    throw rejection(`scrapeTimeout ${formatDuration(timeoutMs)} is above the interval ${formatDuration(effectiveMs)}`);
  }
  return { scrape_interval: intervalMs, scrape_timeout: timeoutMs };
}

/** @returns ms; undefined when empty, which upstream takes for "not set" */
function optionalDuration(field: string, duration: string | undefined): number | undefined {
  return duration ? within(field, () => parseDuration(duration)) : undefined;
}

function limits(spec: JobParts['monitor']['spec']): ScrapeConfigDraft {
  return {
    sample_limit: spec.sampleLimit,
    target_limit: spec.targetLimit,
    label_limit: spec.labelLimit,
    label_name_length_limit: spec.labelNameLengthLimit,
    label_value_length_limit: spec.labelValueLengthLimit,
    keep_dropped_targets: spec.keepDroppedTargets,
    body_size_limit: spec.bodySizeLimit ? parseByteSize(spec.bodySizeLimit) : undefined,
  };
}

function protocols(spec: JobParts['monitor']['spec']): ScrapeConfigDraft {
  const factor = spec.nativeHistogramMinBucketFactor;
  return {
    native_histogram_bucket_limit: spec.nativeHistogramBucketLimit,
    native_histogram_min_bucket_factor: factor === undefined ? undefined : parseQuantity(factor),
    scrape_native_histograms: spec.scrapeNativeHistograms,
    always_scrape_classic_histograms: spec.scrapeClassicHistograms,
    convert_classic_histograms_to_nhcb: spec.convertClassicHistogramsToNHCB,
    scrape_protocols: spec.scrapeProtocols?.length ? spec.scrapeProtocols : undefined,
    fallback_scrape_protocol: spec.fallbackScrapeProtocol,
  };
}
