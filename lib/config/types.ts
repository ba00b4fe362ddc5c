/**
 * The configuration file after parsing. Fields keep the names they have in YAML; values are ready to use:
 *
 * - durations (`scrape_interval`, `refresh_interval`, …) are **milliseconds**,
 * - sizes (`body_size_limit`, `size`) are **bytes**,
 * - defaults are applied, global settings are handed down to the jobs,
 * - `bearer_token` and `bearer_token_file` have become `authorization`, as in Prometheus.
 *
 * Follows Prometheus 3.15 `config/config.go` and `prometheus/common/config`.
 */
import type { Labels } from '../model/index.ts';

export type NameValidationScheme = 'utf8' | 'legacy';

export type ScrapeProtocol =
  | 'PrometheusProto'
  | 'PrometheusText0.0.4'
  | 'PrometheusText1.0.0'
  | 'OpenMetricsText0.0.1'
  | 'OpenMetricsText1.0.0'
  | 'OpenMetricsText2.0.0';

export type RelabelAction =
  | 'replace'
  | 'keep'
  | 'drop'
  | 'keepequal'
  | 'dropequal'
  | 'hashmod'
  | 'labelmap'
  | 'labeldrop'
  | 'labelkeep'
  | 'lowercase'
  | 'uppercase';

export interface RelabelConfig {
  readonly source_labels?: readonly string[] | undefined;
  /** Default `;`. */
  readonly separator?: string | undefined;
  /** RE2, anchored at both ends. Default `(.*)`. */
  readonly regex?: string | undefined;
  readonly modulus?: number | undefined;
  readonly target_label?: string | undefined;
  /** Default `$1`. */
  readonly replacement?: string | undefined;
  /** Default `replace`. */
  readonly action?: RelabelAction | undefined;
}

export interface TlsConfig {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly ca_file?: string | undefined;
  readonly cert_file?: string | undefined;
  readonly key_file?: string | undefined;
  readonly ca_ref?: string | undefined;
  readonly cert_ref?: string | undefined;
  readonly key_ref?: string | undefined;
  readonly server_name?: string | undefined;
  readonly insecure_skip_verify?: boolean | undefined;
  readonly min_version?: string | undefined;
  readonly max_version?: string | undefined;
}

export interface BasicAuth {
  readonly username?: string | undefined;
  readonly username_file?: string | undefined;
  readonly username_ref?: string | undefined;
  readonly password?: string | undefined;
  readonly password_file?: string | undefined;
  readonly password_ref?: string | undefined;
}

export interface Authorization {
  /** Default `Bearer`. */
  readonly type?: string | undefined;
  readonly credentials?: string | undefined;
  readonly credentials_file?: string | undefined;
  readonly credentials_ref?: string | undefined;
}

export interface ProxyConfig {
  readonly proxy_url?: string | undefined;
  readonly no_proxy?: string | undefined;
  readonly proxy_from_environment?: boolean | undefined;
  readonly proxy_connect_header?: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface OAuth2 extends ProxyConfig {
  readonly client_id: string;
  readonly client_secret?: string | undefined;
  readonly client_secret_file?: string | undefined;
  readonly client_secret_ref?: string | undefined;
  readonly client_certificate_key_id?: string | undefined;
  readonly client_certificate_key?: string | undefined;
  readonly client_certificate_key_file?: string | undefined;
  readonly client_certificate_key_ref?: string | undefined;
  readonly grant_type?: string | undefined;
  readonly signature_algorithm?: string | undefined;
  readonly iss?: string | undefined;
  readonly audience?: string | undefined;
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly token_url: string;
  readonly endpoint_params?: Readonly<Record<string, string>> | undefined;
  readonly tls_config?: TlsConfig | undefined;
}

export interface HttpHeader {
  readonly values?: readonly string[] | undefined;
  readonly secrets?: readonly string[] | undefined;
  readonly files?: readonly string[] | undefined;
}

export interface HttpClientConfig extends ProxyConfig {
  readonly basic_auth?: BasicAuth | undefined;
  readonly authorization?: Authorization | undefined;
  readonly oauth2?: OAuth2 | undefined;
  readonly tls_config?: TlsConfig | undefined;
  readonly follow_redirects: boolean;
  readonly enable_http2: boolean;
  readonly http_headers?: Readonly<Record<string, HttpHeader>> | undefined;
}

export interface StaticConfig {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export type KubernetesRole = 'pod' | 'endpoints' | 'endpointslice' | 'service' | 'node' | 'ingress';

export interface KubernetesSelector {
  readonly role: KubernetesRole;
  /** A label selector, in the API's own syntax. */
  readonly label: string;
  /** A field selector. */
  readonly field: string;
}

export interface KubernetesSdConfig extends HttpClientConfig {
  readonly role: KubernetesRole;
  readonly api_server?: string | undefined;
  readonly kubeconfig_file?: string | undefined;
  /** Both empty: all namespaces. */
  readonly namespaces: { readonly own_namespace: boolean; readonly names: readonly string[] };
  readonly selectors: readonly KubernetesSelector[];
  readonly attach_metadata: {
    readonly node: boolean;
    readonly namespace: boolean;
    readonly deployment: boolean;
    readonly job: boolean;
    readonly cronjob: boolean;
  };
}

export interface FileSdConfig {
  readonly files: readonly string[];
  readonly refresh_interval: number;
}

export interface HttpSdConfig extends HttpClientConfig {
  readonly url: string;
  readonly refresh_interval: number;
}

export interface DnsSdConfig {
  readonly names: readonly string[];
  readonly refresh_interval: number;
  readonly type: string;
  readonly port: number;
}

export interface ScrapeConfig extends HttpClientConfig {
  readonly job_name: string;
  readonly honor_labels: boolean;
  readonly honor_timestamps: boolean;
  readonly track_timestamps_staleness: boolean;
  /** Query parameters of the scrape. */
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly scrape_interval: number;
  readonly scrape_timeout: number;
  /** In order of preference; never empty. */
  readonly scrape_protocols: readonly ScrapeProtocol[];
  /** Used when a target's Content-Type is missing or unknown. */
  readonly fallback_scrape_protocol?: ScrapeProtocol | undefined;
  readonly scrape_native_histograms: boolean;
  readonly always_scrape_classic_histograms: boolean;
  readonly convert_classic_histograms_to_nhcb: boolean;
  readonly extra_scrape_metrics: boolean;
  readonly scrape_failure_log_file?: string | undefined;
  readonly metrics_path: string;
  readonly scheme: string;
  readonly enable_compression: boolean;
  /** Limits: 0 is "none". */
  readonly body_size_limit: number;
  readonly sample_limit: number;
  readonly target_limit: number;
  readonly label_limit: number;
  readonly label_name_length_limit: number;
  readonly label_value_length_limit: number;
  readonly native_histogram_bucket_limit: number;
  readonly native_histogram_min_bucket_factor: number;
  readonly keep_dropped_targets: number;
  readonly metric_name_validation_scheme: NameValidationScheme;
  readonly metric_name_escaping_scheme: string;
  readonly relabel_configs: readonly RelabelConfig[];
  readonly metric_relabel_configs: readonly RelabelConfig[];
  readonly static_configs: readonly StaticConfig[];
  readonly kubernetes_sd_configs: readonly KubernetesSdConfig[];
  readonly file_sd_configs: readonly FileSdConfig[];
  readonly http_sd_configs: readonly HttpSdConfig[];
  readonly dns_sd_configs: readonly DnsSdConfig[];
}

export interface GlobalConfig {
  readonly scrape_interval: number;
  readonly scrape_timeout: number;
  readonly evaluation_interval: number;
  readonly rule_query_offset: number;
  readonly external_labels: Readonly<Record<string, string>>;
  readonly query_log_file?: string | undefined;
  readonly scrape_failure_log_file?: string | undefined;
  readonly scrape_protocols?: readonly ScrapeProtocol[] | undefined;
  readonly body_size_limit: number;
  readonly sample_limit: number;
  readonly target_limit: number;
  readonly label_limit: number;
  readonly label_name_length_limit: number;
  readonly label_value_length_limit: number;
  readonly keep_dropped_targets: number;
  readonly metric_name_validation_scheme: NameValidationScheme;
  readonly metric_name_escaping_scheme?: string | undefined;
  readonly scrape_native_histograms: boolean;
  readonly convert_classic_histograms_to_nhcb: boolean;
  readonly always_scrape_classic_histograms: boolean;
  readonly extra_scrape_metrics: boolean;
}

/** A section that is checked when read but that no part uses yet. */
export type Section = Readonly<Record<string, unknown>>;

/** Section `storage`; durations are ms, sizes bytes. */
export interface StorageConfig {
  readonly tsdb?: TsdbConfig | undefined;
  readonly exemplars?: { readonly max_exemplars: number } | undefined;
}

export interface TsdbConfig {
  readonly out_of_order_time_window?: number | undefined;
  readonly stale_series_compaction_threshold?: number | undefined;
  readonly chunk_encoding?: { readonly floats?: string | undefined } | undefined;
  readonly retention?:
    | {
        readonly time?: number | undefined;
        readonly size?: number | undefined;
        readonly percentage?: number | undefined;
      }
    | undefined;
}

export interface PrometheusConfig {
  readonly global: GlobalConfig;
  readonly scrape_configs: readonly ScrapeConfig[];
  readonly scrape_config_files: readonly string[];
  readonly rule_files: readonly string[];
  readonly runtime?: Section | undefined;
  readonly alerting?: Section | undefined;
  readonly storage?: StorageConfig | undefined;
  readonly tracing?: Section | undefined;
  readonly otlp?: Section | undefined;
  readonly remote_write: readonly Section[];
  readonly remote_read: readonly Section[];
}

export interface ParseOptions {
  /** Where `$(NODE_NAME)` in values, and `$NAME` in external labels, come from. Left out: nothing is expanded. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** What discovery found under one source; a later group of the same source replaces it (Prometheus `targetgroup.Group`). */
export interface TargetGroup {
  readonly source: string;
  /** Common to all targets of the group. */
  readonly labels: Labels;
  /** Each has at least `__address__`. */
  readonly targets: readonly Labels[];
}

type Loose<T> = T extends readonly (infer Item)[]
  ? readonly Loose<Item>[]
  : T extends object
    ? { readonly [Name in keyof T]?: Loose<T[Name]> | undefined }
    : T;

/** What `serializeConfig` takes: the parsed shape, everything optional. Left out means Prometheus's default. */
export type ConfigDraft = Loose<PrometheusConfig>;
/** One job of a `ConfigDraft`. */
export type ScrapeConfigDraft = Loose<ScrapeConfig>;
