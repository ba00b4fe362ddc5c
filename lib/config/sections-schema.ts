/**
 * Sections that a configuration may hold though no part of Promlet acts on them yet: alerting, remote write and read,
 * storage, tracing, otlp, runtime. They are checked as Prometheus checks them (`config/config.go`).
 */
import { z } from 'zod';
import { discoveryFields, staticTargetProblem } from './discovery-schema.ts';
import {
  httpClientFields,
  httpClientProblem,
  isReservedHeader,
  tlsConfig,
  withAuthorization,
} from './http-client-schema.ts';
import {
  bool,
  bytes,
  count,
  duration,
  float,
  integer,
  list,
  optional,
  section,
  text,
  textMap,
  url,
  word,
} from './leaves.ts';
import { relabelRules } from './relabel-schema.ts';

/** Credentials of clouds: named so that they are not unknown fields, their content unread. */
const cloudCredentials = optional(z.looseObject({}));

function headersProblem(headers: Readonly<Record<string, string>>, authorization: string): string | undefined {
  for (const name of Object.keys(headers)) {
    if (name.toLowerCase() === 'authorization') return authorization;
    if (isReservedHeader(name)) return `${name} is a reserved header. It must not be changed`;
  }
  return undefined;
}

const REMOTE_AUTHORIZATION =
  'authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter';

const queueConfig = z
  .strictObject({
    capacity: integer.default(10_000),
    max_shards: integer.default(50),
    min_shards: integer.default(1),
    max_samples_per_send: integer.default(2_000),
    batch_send_deadline: duration.default(5_000),
    min_backoff: duration.default(30),
    max_backoff: duration.default(5_000),
    retry_on_http_429: bool.default(false),
    sample_age_limit: duration.default(0),
  })
  .superRefine((queue, context) => {
    const complain = (message: string) =>
      context.addIssue({ code: 'custom', message: `remote write queue ${message}` });
    if (queue.max_shards <= 0) complain('max_shards must be positive');
    if (queue.min_shards <= 0) complain('min_shards must be positive');
    if (queue.min_shards > queue.max_shards) complain('min_shards must not be greater than max_shards');
    if (queue.max_samples_per_send <= 0) complain('max_samples_per_send must be positive');
    if (queue.capacity <= 0) complain('capacity must be positive');
    if (queue.max_backoff < queue.min_backoff) complain('max_backoff must not be less than min_backoff');
  });

const PROTOBUF_MESSAGES = ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'] as const;

export const remoteWrite = z
  .strictObject({
    ...httpClientFields,
    enable_http2: bool.default(false),
    url: optional(url),
    remote_timeout: duration.default(30_000),
    headers: textMap,
    write_relabel_configs: relabelRules('relabeling rule in remote write config'),
    name: text.default(''),
    send_exemplars: bool.default(false),
    send_native_histograms: bool.default(false),
    round_robin_dns: bool.default(false),
    protobuf_message: word(
      PROTOBUF_MESSAGES,
      (value) => `invalid protobuf_message value: unknown type for remote write protobuf message ${value}`,
    ).default('prometheus.WriteRequest'),
    failed_request_logging: bool.default(false),
    queue_config: section(queueConfig),
    metadata_config: section(
      z.strictObject({
        send: bool.default(true),
        send_interval: duration.default(60_000),
        max_samples_per_send: integer.default(2_000),
      }),
    ),
    sigv4: cloudCredentials,
    azuread: cloudCredentials,
    google_iam: cloudCredentials,
  })
  .transform((config, context) => {
    const credentials = [
      ...(config.basic_auth === undefined ? [] : ['basic_auth']),
      ...(config.authorization === undefined ? [] : ['authorization']),
      ...(config.oauth2 === undefined ? [] : ['oauth2']),
      ...(config.sigv4 === undefined ? [] : ['sigv4']),
      ...(config.azuread === undefined ? [] : ['azuread']),
      ...(config.google_iam === undefined ? [] : ['google_iam']),
    ];
    const problem =
      (config.url === undefined ? 'url for remote_write is empty' : undefined) ??
      headersProblem(config.headers, REMOTE_AUTHORIZATION) ??
      httpClientProblem(config) ??
      (credentials.length > 1
        ? `at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured. Currently configured: [${credentials.join(' ')}]`
        : undefined);
    if (problem === undefined) return withAuthorization(config);
    context.addIssue({ code: 'custom', message: problem });
    return z.NEVER;
  });

export const remoteRead = z
  .strictObject({
    ...httpClientFields,
    url: optional(url),
    remote_timeout: duration.default(60_000),
    chunked_read_limit: count.default(50_000_000),
    headers: textMap,
    read_recent: bool.default(false),
    name: text.default(''),
    required_matchers: textMap,
    filter_external_labels: bool.default(true),
  })
  .transform((config, context) => {
    const problem =
      (config.url === undefined ? 'url for remote_read is empty' : undefined) ??
      headersProblem(config.headers, REMOTE_AUTHORIZATION) ??
      httpClientProblem(config);
    if (problem === undefined) return withAuthorization(config);
    context.addIssue({ code: 'custom', message: problem });
    return z.NEVER;
  });

const alertmanager = z
  .strictObject({
    ...httpClientFields,
    ...discoveryFields,
    sigv4: cloudCredentials,
    scheme: text.default('http'),
    path_prefix: text.optional(),
    timeout: duration.default(10_000),
    api_version: word(
      ['v2'],
      (value) => `expected Alertmanager api version to be one of [v2] but got ${value}`,
    ).default('v2'),
    relabel_configs: relabelRules('Alertmanager target relabeling rule'),
    alert_relabel_configs: relabelRules('Alertmanager alert relabeling rule'),
  })
  .transform((config, context) => {
    const signedTwice =
      config.sigv4 !== undefined &&
      (config.basic_auth !== undefined || config.authorization !== undefined || config.oauth2 !== undefined);
    const problem =
      httpClientProblem(config) ??
      (signedTwice ? 'at most one of basic_auth, authorization, oauth2, & sigv4 must be configured' : undefined) ??
      staticTargetProblem(config);
    if (problem === undefined) return withAuthorization(config);
    context.addIssue({ code: 'custom', message: problem });
    return z.NEVER;
  });

export const alerting = z.strictObject({
  alert_relabel_configs: relabelRules('alert relabeling rule'),
  alertmanagers: list(alertmanager, 'alertmanager config'),
});

const size = bytes.superRefine((value, context) => {
  if (value < 0) {
    context.addIssue({ code: 'custom', message: `'storage.tsdb.retention.size' must be greater than or equal to 0` });
  }
});

const percentage = float.superRefine((value, context) => {
  if (!(value >= 0 && value <= 100)) {
    context.addIssue({
      code: 'custom',
      message: `'storage.tsdb.retention.percentage' must be in the range [0, 100], got ${value}`,
    });
  }
});

export const storage = z.strictObject({
  tsdb: optional(
    z.strictObject({
      out_of_order_time_window: duration.optional(),
      stale_series_compaction_threshold: float.optional(),
      chunk_encoding: optional(
        z.strictObject({
          floats: word(
            ['', 'xor', 'xor2'],
            (value) =>
              `'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be omitted entirely, got "${value}"`,
          ).optional(),
        }),
      ),
      retention: optional(
        z.strictObject({ time: duration.optional(), size: size.optional(), percentage: percentage.optional() }),
      ),
    }),
  ),
  exemplars: optional(z.strictObject({ max_exemplars: integer.default(100_000) })),
});

export const tracing = z
  .strictObject({
    client_type: word(
      ['http', 'grpc'],
      (value) => `expected tracing client type to be to be http or grpc, but got ${value}`,
    ).default('grpc'),
    endpoint: text.default(''),
    sampling_fraction: float.optional(),
    insecure: bool.optional(),
    tls_config: optional(tlsConfig),
    headers: textMap,
    compression: text.optional(),
    timeout: duration.optional(),
  })
  .superRefine((config, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message });
    const header = headersProblem(config.headers, 'custom authorization header configuration is not yet supported');
    if (header !== undefined) complain(header);
    if (config.endpoint === '') complain('tracing endpoint must be set');
    if (config.compression && config.compression !== 'gzip') {
      complain(`invalid compression type ${config.compression} provided, valid options: gzip`);
    }
  });

export const runtime = z.strictObject({
  gogc: integer.optional(),
  log_level: word(['debug', 'info', 'warn', 'error'], (value) => `unrecognized log level ${value}`).optional(),
});

const TRANSLATIONS = [
  '',
  'UnderscoreEscapingWithSuffixes',
  'UnderscoreEscapingWithoutSuffixes',
  'NoTranslation',
  'NoUTF8EscapingWithSuffixes',
] as const;

/** Strategies that leave names as they are, which needs the utf8 scheme. */
export const UTF8_TRANSLATIONS: ReadonlySet<string> = new Set(['NoTranslation', 'NoUTF8EscapingWithSuffixes']);

export const otlp = z
  .strictObject({
    promote_all_resource_attributes: bool.default(false),
    promote_resource_attributes: list(text),
    ignore_resource_attributes: list(text),
    translation_strategy: word(TRANSLATIONS, (value) => `unsupported OTLP translation strategy "${value}"`).optional(),
    keep_identifying_resource_attributes: bool.default(false),
    convert_histograms_to_nhcb: bool.default(false),
    promote_scope_metadata: bool.default(false),
    label_name_underscore_sanitization: bool.default(true),
    label_name_preserve_multiple_underscores: bool.default(true),
  })
  .superRefine((config, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message });
    const { promote_all_resource_attributes: all, promote_resource_attributes: promoted } = config;
    const ignored = config.ignore_resource_attributes;
    if (all && promoted.length > 0) {
      complain(
        `'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously`,
      );
    }
    if (!all && ignored.length > 0) {
      complain(`'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true`);
    }
    attributeProblems(promoted, 'promoted').forEach((p) => complain(`invalid 'promote_resource_attributes': ${p}`));
    attributeProblems(ignored, 'ignored').forEach((p) => complain(`invalid 'ignore_resource_attributes': ${p}`));
  });

function attributeProblems(attributes: readonly string[], adjective: string): string[] {
  const seen = new Set<string>();
  const problems: string[] = [];
  for (const attribute of attributes.map((name) => name.trim())) {
    if (attribute === '') problems.push(`empty ${adjective} OTel resource attribute`);
    else if (seen.has(attribute)) problems.push(`duplicated ${adjective} OTel resource attribute "${attribute}"`);
    seen.add(attribute);
  }
  return problems;
}
