import type { ScrapeConfigDraft } from '../../lib/config/index.ts';
import type {
  PodMonitorEndpoint,
  SafeTlsConfig,
  SecretKeySelector,
  ServiceMonitorEndpoint,
  TlsConfig,
} from '../resources/index.ts';
import type { CredentialReader } from './credentials.ts';
import { rejection, within } from './rejection.ts';

type Endpoint = ServiceMonitorEndpoint | PodMonitorEndpoint;
type HttpClientDraft = Pick<
  ScrapeConfigDraft,
  | 'authorization'
  | 'basic_auth'
  | 'enable_http2'
  | 'follow_redirects'
  | 'no_proxy'
  | 'proxy_connect_header'
  | 'proxy_from_environment'
  | 'proxy_url'
  | 'tls_config'
>;

/**
 * How the scraper connects: TLS, authentication, proxy; credentials are inlined. Nothing may name a file of the agent.
 * @throws PromletError `monitors/rejected`
 */
export function httpClient(endpoint: Endpoint, credentials: CredentialReader): HttpClientDraft {
  refuseUnsupported(endpoint);
  return {
    follow_redirects: endpoint.followRedirects,
    enable_http2: endpoint.enableHttp2,
    ...proxy(endpoint, credentials),
    ...(endpoint.tlsConfig === undefined
      ? {}
      : { tls_config: within('tlsConfig', () => tls(endpoint.tlsConfig!, credentials)) }),
    ...authentication(endpoint, credentials),
  };
}

function refuseUnsupported(endpoint: Endpoint): void {
  if ('bearerTokenFile' in endpoint && endpoint.bearerTokenFile) {
    throw rejection('bearerTokenFile: files are refused, use authorization');
  }
  const { oauth2, authorization, basicAuth, bearerTokenSecret } = endpoint;
  const methods = Object.entries({ authorization, basicAuth, bearerTokenSecret: named(bearerTokenSecret), oauth2 })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
  if (methods.length > 1) throw rejection(`${methods.join(' and ')} cannot be configured at the same time`);
  if (oauth2 !== undefined) throw rejection('oauth2: not supported yet');
}

/** Upstream takes a selector without a name for "not set". */
function named(selector: SecretKeySelector | undefined): SecretKeySelector | undefined {
  return selector?.name ? selector : undefined;
}

function authentication(endpoint: Endpoint, credentials: CredentialReader): HttpClientDraft {
  const token = named(endpoint.bearerTokenSecret);
  if (token !== undefined) {
    const value = within('bearerTokenSecret', () => credentials.secret(token));
    return { authorization: { type: 'Bearer', credentials: value } };
  }
  const { authorization, basicAuth } = endpoint;
  if (basicAuth !== undefined) {
    return {
      basic_auth: within('basicAuth', () => ({
        username: basicAuth.username && credentials.secret(basicAuth.username),
        password: basicAuth.password && credentials.secret(basicAuth.password),
      })),
    };
  }
  if (authorization === undefined) return {};
  const type = authorization.type?.trim() || 'Bearer';
  if (type.toLowerCase() === 'basic') throw rejection('authorization: type Basic is refused, use basicAuth');
  return {
    authorization: within('authorization', () => ({
      type,
      credentials: authorization.credentials && credentials.secret(authorization.credentials),
    })),
  };
}

function tls(config: TlsConfig | SafeTlsConfig, credentials: CredentialReader): HttpClientDraft['tls_config'] {
  for (const field of ['caFile', 'certFile', 'keyFile'] as const) {
    if (field in config && (config as TlsConfig)[field]) throw rejection(`${field}: files are refused`);
  }
  const { minVersion, maxVersion } = config;
  if (minVersion !== undefined && maxVersion !== undefined && minVersion > maxVersion) {
    throw rejection(`minVersion ${minVersion} is above maxVersion ${maxVersion}`);
  }
  const cert = config.cert && within('cert', () => credentials.secretOrConfigMap(config.cert!));
  const key = config.keySecret && within('keySecret', () => credentials.secret(config.keySecret!));
  if ((cert === undefined) !== (key === undefined)) throw rejection('cert and keySecret go together');
  return {
    insecure_skip_verify: config.insecureSkipVerify,
    ca: config.ca && within('ca', () => credentials.secretOrConfigMap(config.ca!)),
    cert,
    key,
    server_name: config.serverName || undefined,
    min_version: minVersion,
    max_version: maxVersion,
  };
}

function proxy(endpoint: Endpoint, credentials: CredentialReader): HttpClientDraft {
  const { proxyUrl, noProxy, proxyFromEnvironment, proxyConnectHeader } = endpoint;
  if (proxyUrl !== undefined && !URL.canParse(proxyUrl)) throw rejection('proxyUrl: not a URL');
  if (proxyFromEnvironment && (proxyUrl || noProxy))
    throw rejection('proxyFromEnvironment excludes proxyUrl and noProxy');
  if (noProxy && !proxyUrl) throw rejection('noProxy needs proxyUrl');
  const headers = Object.entries(proxyConnectHeader ?? {});
  if (headers.length > 0 && !proxyUrl && !proxyFromEnvironment) {
    throw rejection('proxyConnectHeader needs proxyUrl or proxyFromEnvironment');
  }
  const resolved = headers.map(([name, selectors]) => {
    const values = selectors.map((selector) => within('proxyConnectHeader', () => credentials.secret(selector)));
    return [name, values.filter((value) => value !== undefined)] as const;
  });
  return {
    proxy_url: proxyUrl,
    no_proxy: noProxy,
    proxy_from_environment: proxyFromEnvironment,
    proxy_connect_header: proxyConnectHeader && Object.fromEntries(resolved),
  };
}
