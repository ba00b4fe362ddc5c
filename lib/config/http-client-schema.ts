/** The HTTP client settings that many sections share. Follows `prometheus/common/config/http_config.go`. */
import { z } from 'zod';
import { bool, list, map, optional, text, textMap, url, word } from './leaves.ts';
import type { HttpClientConfig } from './types.ts';

const TLS_VERSIONS = ['TLS10', 'TLS11', 'TLS12', 'TLS13'] as const;
const tlsVersion = word(TLS_VERSIONS, (value) => `unknown TLS version: ${value}`);

/** How many of the settings are given. */
function given(...settings: readonly (string | undefined)[]): number {
  return settings.filter((setting) => setting !== undefined && setting !== '').length;
}

export const tlsConfig = z
  .strictObject({
    ca: text.optional(),
    cert: text.optional(),
    key: text.optional(),
    ca_file: text.optional(),
    cert_file: text.optional(),
    key_file: text.optional(),
    ca_ref: text.optional(),
    cert_ref: text.optional(),
    key_ref: text.optional(),
    server_name: text.optional(),
    insecure_skip_verify: bool.optional(),
    min_version: tlsVersion.optional(),
    max_version: tlsVersion.optional(),
  })
  .superRefine((tls, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message });
    const certificates = given(tls.cert, tls.cert_file, tls.cert_ref);
    const keys = given(tls.key, tls.key_file, tls.key_ref);
    if (given(tls.ca, tls.ca_file, tls.ca_ref) > 1) complain('at most one of ca, ca_file & ca_ref must be configured');
    if (certificates > 1) complain('at most one of cert, cert_file & cert_ref must be configured');
    if (keys > 1) complain('at most one of key and key_file must be configured');
    if (certificates > 0 && keys === 0) {
      complain('exactly one of key or key_file must be configured when a client certificate is configured');
    }
    if (keys > 0 && certificates === 0) {
      complain('exactly one of cert or cert_file must be configured when a client key is configured');
    }
  });

const proxyFields = {
  proxy_url: optional(url),
  no_proxy: text.optional(),
  proxy_from_environment: bool.optional(),
  proxy_connect_header: optional(map(list(text))),
};

interface ProxySettings {
  readonly proxy_url?: string | undefined;
  readonly no_proxy?: string | undefined;
  readonly proxy_from_environment?: boolean | undefined;
  readonly proxy_connect_header?: Readonly<Record<string, unknown>> | undefined;
}

function proxyProblem(proxy: ProxySettings): string | undefined {
  const hasUrl = given(proxy.proxy_url) > 0;
  const fromEnvironment = proxy.proxy_from_environment === true;
  const hasHeader = Object.keys(proxy.proxy_connect_header ?? {}).length > 0;
  if (hasHeader && !fromEnvironment && !hasUrl) {
    return 'if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured';
  }
  if (fromEnvironment && hasUrl) return 'if proxy_from_environment is configured, proxy_url must not be configured';
  if (fromEnvironment && given(proxy.no_proxy) > 0) {
    return 'if proxy_from_environment is configured, no_proxy must not be configured';
  }
  if (proxy.proxy_url === undefined && given(proxy.no_proxy) > 0) {
    return 'if no_proxy is configured, proxy_url must also be configured';
  }
  return undefined;
}

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const oauth2 = z
  .strictObject({
    client_id: text.default(''),
    client_secret: text.optional(),
    client_secret_file: text.optional(),
    client_secret_ref: text.optional(),
    client_certificate_key_id: text.optional(),
    client_certificate_key: text.optional(),
    client_certificate_key_file: text.optional(),
    client_certificate_key_ref: text.optional(),
    grant_type: text.optional(),
    signature_algorithm: text.optional(),
    iss: text.optional(),
    audience: text.optional(),
    claims: optional(z.looseObject({})),
    scopes: optional(list(text)),
    token_url: text.default(''),
    endpoint_params: optional(textMap),
    tls_config: optional(tlsConfig),
    ...proxyFields,
  })
  .superRefine((config, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message });
    if (config.client_id === '') complain('oauth2 client_id must be configured');
    if (config.token_url === '') complain('oauth2 token_url must be configured');
    if (config.grant_type === JWT_BEARER) {
      const keys = given(
        config.client_certificate_key,
        config.client_certificate_key_file,
        config.client_certificate_key_ref,
      );
      if (keys > 1) complain('at most one of the oauth2 client_certificate_key settings must be configured');
      if (!['', 'RS256', 'RS384', 'RS512'].includes(config.signature_algorithm ?? '')) {
        complain('valid signature algorithms are RS256, RS384 and RS512');
      }
    } else if (given(config.client_secret, config.client_secret_file, config.client_secret_ref) > 1) {
      complain(
        'at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials',
      );
    }
    const problem = proxyProblem(config);
    if (problem !== undefined) complain(problem);
  });

/** Headers that scraping sets itself; lower case. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'host',
  'content-encoding',
  'content-length',
  'content-type',
  'user-agent',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'www-authenticate',
  'accept-encoding',
  'x-prometheus-remote-write-version',
  'x-prometheus-remote-read-version',
  'x-prometheus-scrape-timeout-seconds',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-content-sha256',
]);

export function isReservedHeader(name: string): boolean {
  return RESERVED_HEADERS.has(name.toLowerCase());
}

/** Fields to spread into a section's own; finish that section with `httpClientProblem` and `withAuthorization`. */
export const httpClientFields = {
  basic_auth: optional(
    z.strictObject({
      username: text.optional(),
      username_file: text.optional(),
      username_ref: text.optional(),
      password: text.optional(),
      password_file: text.optional(),
      password_ref: text.optional(),
    }),
  ),
  authorization: optional(
    z.strictObject({
      type: text.optional(),
      credentials: text.optional(),
      credentials_file: text.optional(),
      credentials_ref: text.optional(),
    }),
  ),
  oauth2: optional(oauth2),
  bearer_token: text.optional(),
  bearer_token_file: text.optional(),
  tls_config: optional(tlsConfig),
  follow_redirects: bool.default(true),
  enable_http2: bool.default(true),
  ...proxyFields,
  http_headers: optional(
    map(z.strictObject({ values: optional(list(text)), secrets: optional(list(text)), files: optional(list(text)) })),
  ),
};

const httpClient = z.strictObject(httpClientFields);
type HttpClientInput = z.output<typeof httpClient>;

/** What is wrong with a section's HTTP client settings, in Prometheus's words. */
export function httpClientProblem(config: HttpClientInput): string | undefined {
  const { basic_auth: basic, authorization, oauth2: oauth } = config;
  const bearers = given(config.bearer_token, config.bearer_token_file);
  if (bearers > 1) return 'at most one of bearer_token & bearer_token_file must be configured';
  if ((basic !== undefined || oauth !== undefined) && bearers > 0) {
    return 'at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured';
  }
  if (basic !== undefined && given(basic.username, basic.username_file, basic.username_ref) > 1) {
    return 'at most one of basic_auth username, username_file & username_ref must be configured';
  }
  if (basic !== undefined && given(basic.password, basic.password_file, basic.password_ref) > 1) {
    return 'at most one of basic_auth password, password_file & password_ref must be configured';
  }
  if (authorization !== undefined) {
    if (bearers > 0) return 'authorization is not compatible with bearer_token & bearer_token_file';
    const { credentials, credentials_file, credentials_ref } = authorization;
    if (given(credentials, credentials_file, credentials_ref) > 1) {
      return 'at most one of authorization credentials & credentials_file must be configured';
    }
    if (authorization.type?.trim().toLowerCase() === 'basic') {
      return 'authorization type cannot be set to "basic", use "basic_auth" instead';
    }
  }
  if (Number(basic !== undefined) + Number(authorization !== undefined) + Number(oauth !== undefined) > 1) {
    return 'at most one of basic_auth, oauth2 & authorization must be configured';
  }
  const reserved = Object.keys(config.http_headers ?? {}).find(isReservedHeader);
  if (reserved !== undefined) return `setting header "${reserved}" is not allowed`;
  return proxyProblem(config);
}

/** Turns bearer tokens into `authorization` and fills in its type. */
export function withAuthorization<Config extends HttpClientInput>(
  config: Config,
): Omit<Config, 'bearer_token' | 'bearer_token_file' | 'authorization'> & Pick<HttpClientConfig, 'authorization'> {
  const { bearer_token, bearer_token_file, authorization, ...rest } = config;
  if (authorization !== undefined) {
    return { ...rest, authorization: { ...authorization, type: authorization.type?.trim() || 'Bearer' } };
  }
  if (bearer_token) return { ...rest, authorization: { type: 'Bearer', credentials: bearer_token } };
  if (bearer_token_file) return { ...rest, authorization: { type: 'Bearer', credentials_file: bearer_token_file } };
  return rest;
}

/** True when nothing differs from the defaults. */
export function isDefaultHttpClient(config: HttpClientInput): boolean {
  return Object.keys(httpClientFields).every((name) => {
    const value = config[name as keyof HttpClientInput];
    return name === 'follow_redirects' || name === 'enable_http2' ? value === true : value === undefined;
  });
}
