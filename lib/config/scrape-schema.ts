/** `global` and `scrape_configs`, and how the second inherits from the first. Follows Prometheus `config/config.go`. */
import { z } from 'zod';
import { discoveryFields, staticTargetProblem } from './discovery-schema.ts';
import { httpClientFields, httpClientProblem, withAuthorization } from './http-client-schema.ts';
import { bool, bytes, count, duration, float, list, map, text, textMap } from './leaves.ts';
import { isValidLabelName } from './relabel.ts';
import { relabelProblem, relabelRules } from './relabel-schema.ts';
import type { GlobalConfig, NameValidationScheme, ScrapeConfig, ScrapeProtocol } from './types.ts';

const DEFAULT_INTERVAL_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 10_000;

const PROTOCOLS: ReadonlySet<string> = new Set<ScrapeProtocol>([
  'OpenMetricsText0.0.1',
  'OpenMetricsText1.0.0',
  'OpenMetricsText2.0.0',
  'PrometheusProto',
  'PrometheusText0.0.4',
  'PrometheusText1.0.0',
]);

const TEXT_PROTOCOLS: readonly ScrapeProtocol[] = [
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
];

const ESCAPING_SCHEMES = ['allow-utf-8', 'underscores', 'dots', 'values'];

const protocol = text.transform((value, context): ScrapeProtocol => {
  if (PROTOCOLS.has(value)) return value as ScrapeProtocol;
  const supported = [...PROTOCOLS].join(' ');
  context.addIssue({ code: 'custom', message: `unknown scrape protocol ${value}, supported: [${supported}]` });
  return z.NEVER;
});

const protocols = z.array(protocol).superRefine((value, context) => {
  if (value.length === 0) context.addIssue({ code: 'custom', message: 'scrape_protocols cannot be empty' });
  if (new Set(value).size < value.length) {
    context.addIssue({
      code: 'custom',
      message: `duplicated protocol in scrape_protocols, got [${value.join(' ')}]`,
    });
  }
});

const validationScheme = text.transform((value, context): NameValidationScheme | undefined => {
  if (value === '') return undefined;
  if (value === 'utf8' || value === 'legacy') return value;
  context.addIssue({
    code: 'custom',
    message: `unknown name validation method, must be either '', 'legacy' or 'utf8', got ${value}`,
  });
  return z.NEVER;
});

const escapingScheme = text.transform((value, context): string | undefined => {
  if (value === '' || ESCAPING_SCHEMES.includes(value)) return value === '' ? undefined : value;
  const known = ESCAPING_SCHEMES.map((name) => `'${name}'`).join(', ');
  context.addIssue({
    code: 'custom',
    message: `unknown name escaping method specified, must be one of ${known}, got "${value}"`,
  });
  return z.NEVER;
});

/** Limits that a job takes from `global` when it leaves them out or at 0. */
const limitFields = {
  body_size_limit: bytes.default(0),
  sample_limit: count.default(0),
  target_limit: count.default(0),
  label_limit: count.default(0),
  label_name_length_limit: count.default(0),
  label_value_length_limit: count.default(0),
  keep_dropped_targets: count.default(0),
};
const LIMITS = Object.keys(limitFields) as (keyof typeof limitFields)[];

const optionalList = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => value ?? undefined, schema.optional());

export const globalConfig = z
  .strictObject({
    ...limitFields,
    scrape_interval: duration.default(0),
    scrape_timeout: duration.default(0),
    evaluation_interval: duration.default(0),
    rule_query_offset: duration.default(0),
    scrape_protocols: optionalList(protocols),
    query_log_file: text.optional(),
    scrape_failure_log_file: text.optional(),
    external_labels: textMap,
    metric_name_validation_scheme: validationScheme.optional(),
    metric_name_escaping_scheme: escapingScheme.optional(),
    scrape_native_histograms: bool.default(false),
    convert_classic_histograms_to_nhcb: bool.default(false),
    always_scrape_classic_histograms: bool.default(false),
    extra_scrape_metrics: bool.default(false),
  })
  .transform((config, context): GlobalConfig => {
    const scheme = config.metric_name_validation_scheme ?? 'utf8';
    const complain = (message: string, path: string[]) => context.addIssue({ code: 'custom', message, path });
    for (const [name, value] of Object.entries(config.external_labels)) {
      if (!isValidLabelName(name, scheme)) complain(`"${name}" is not a valid label name`, ['external_labels']);
      if (!value.isWellFormed()) complain(`"${value}" is not a valid label value`, ['external_labels', name]);
    }
    const intervalMs = config.scrape_interval || DEFAULT_INTERVAL_MS;
    if (config.scrape_timeout > intervalMs) {
      complain('global scrape timeout greater than scrape interval', ['scrape_timeout']);
    }
    return {
      ...config,
      scrape_interval: intervalMs,
      scrape_timeout: config.scrape_timeout || Math.min(DEFAULT_TIMEOUT_MS, intervalMs),
      evaluation_interval: config.evaluation_interval || DEFAULT_INTERVAL_MS,
      metric_name_validation_scheme: scheme,
    };
  });

/** A job as written; `resolveScrapeConfig` makes it whole. */
export const scrapeConfig = z
  .strictObject({
    ...httpClientFields,
    ...discoveryFields,
    ...limitFields,
    job_name: text.default(''),
    honor_labels: bool.default(false),
    honor_timestamps: bool.default(true),
    track_timestamps_staleness: bool.default(false),
    params: map(list(text)),
    scrape_interval: duration.default(0),
    scrape_timeout: duration.default(0),
    scrape_protocols: optionalList(protocols),
    fallback_scrape_protocol: protocol.optional(),
    scrape_native_histograms: bool.optional(),
    always_scrape_classic_histograms: bool.optional(),
    convert_classic_histograms_to_nhcb: bool.optional(),
    extra_scrape_metrics: bool.optional(),
    scrape_failure_log_file: text.optional(),
    metrics_path: text.default('/metrics'),
    scheme: text.default('http'),
    enable_compression: bool.default(true),
    native_histogram_bucket_limit: count.default(0),
    native_histogram_min_bucket_factor: float.default(0),
    metric_name_validation_scheme: validationScheme.optional(),
    metric_name_escaping_scheme: escapingScheme.optional(),
    relabel_configs: relabelRules('target relabeling rule in scrape config'),
    metric_relabel_configs: relabelRules('metric relabeling rule in scrape config'),
  })
  .transform((config, context) => {
    const problem =
      (config.job_name === '' ? 'job_name is empty' : undefined) ??
      httpClientProblem(config) ??
      staticTargetProblem(config);
    if (problem === undefined) return withAuthorization(config);
    context.addIssue({ code: 'custom', message: problem });
    return z.NEVER;
  });

type WrittenScrapeConfig = z.output<typeof scrapeConfig>;

/** Reports a problem at `path` below the job. */
export type Complain = (message: string, path: readonly (string | number)[]) => void;

/** Hands the global settings down to a job and checks what depends on them (Prometheus `ScrapeConfig.Validate`). */
export function resolveScrapeConfig(
  written: WrittenScrapeConfig,
  global: GlobalConfig,
  complain: Complain,
): ScrapeConfig {
  const job = `for scrape config with job name "${written.job_name}"`;
  const intervalMs = written.scrape_interval || global.scrape_interval;
  if (written.scrape_timeout > intervalMs) {
    complain(`scrape timeout greater than scrape interval ${job}`, ['scrape_timeout']);
  }
  const scheme = written.metric_name_validation_scheme ?? global.metric_name_validation_scheme;
  const escaping = escapingOf(written, global, scheme);
  if (escaping === 'allow-utf-8' && scheme !== 'utf8') {
    complain('utf8 metric names requested but validation scheme is not set to UTF8', ['metric_name_escaping_scheme']);
  }
  for (const field of ['relabel_configs', 'metric_relabel_configs'] as const) {
    written[field].forEach((rule, i) => {
      const problem = relabelProblem(rule, scheme);
      if (problem !== undefined) complain(problem, [field, i]);
    });
  }
  const native = written.scrape_native_histograms ?? global.scrape_native_histograms;
  const defaultProtocols: readonly ScrapeProtocol[] = native ? ['PrometheusProto', ...TEXT_PROTOCOLS] : TEXT_PROTOCOLS;
  const limits = Object.fromEntries(LIMITS.map((name) => [name, written[name] || global[name]]));
  return {
    ...written,
    ...(limits as Pick<ScrapeConfig, (typeof LIMITS)[number]>),
    scrape_interval: intervalMs,
    scrape_timeout: written.scrape_timeout || Math.min(global.scrape_timeout, intervalMs),
    scrape_protocols: written.scrape_protocols ?? global.scrape_protocols ?? defaultProtocols,
    scrape_failure_log_file: written.scrape_failure_log_file || global.scrape_failure_log_file,
    scrape_native_histograms: native,
    extra_scrape_metrics: written.extra_scrape_metrics ?? global.extra_scrape_metrics,
    always_scrape_classic_histograms:
      written.always_scrape_classic_histograms ?? global.always_scrape_classic_histograms,
    convert_classic_histograms_to_nhcb:
      written.convert_classic_histograms_to_nhcb ?? global.convert_classic_histograms_to_nhcb,
    metric_name_validation_scheme: scheme,
    metric_name_escaping_scheme: escaping,
  };
}

/** A job that only chooses its validation scheme does not inherit an escaping scheme that would contradict it. */
function escapingOf(written: WrittenScrapeConfig, global: GlobalConfig, scheme: NameValidationScheme): string {
  if (written.metric_name_escaping_scheme !== undefined) return written.metric_name_escaping_scheme;
  const inherits = written.metric_name_validation_scheme === undefined;
  if (inherits && global.metric_name_escaping_scheme !== undefined) return global.metric_name_escaping_scheme;
  return scheme === 'legacy' ? 'underscores' : 'allow-utf-8';
}
