/** The `*_sd_configs` sections. Follows Prometheus `discovery/…`. */
import { z } from 'zod';
import { httpClientFields, httpClientProblem, isDefaultHttpClient, withAuthorization } from './http-client-schema.ts';
import { bool, duration, integer, list, optional, section, text, textMap, url, word } from './leaves.ts';
import type { KubernetesRole } from './types.ts';

const staticConfig = z.strictObject({ targets: list(text), labels: textMap });

const ROLES = ['pod', 'service', 'endpoints', 'endpointslice', 'node', 'ingress'] as const;

const role = word(ROLES, (value) => `unknown Kubernetes SD role "${value}"`);

/** Roles whose selectors each role may narrow. */
const SELECTOR_ROLES: Readonly<Record<KubernetesRole, readonly KubernetesRole[]>> = {
  pod: ['pod', 'node'],
  service: ['service'],
  endpointslice: ['pod', 'service', 'endpointslice'],
  endpoints: ['pod', 'service', 'endpoints'],
  node: ['node'],
  ingress: ['ingress'],
};

const SELECTOR_KEY = '(?:[A-Za-z0-9][-A-Za-z0-9.]*/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?';
const SELECTOR_VALUE = '(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?';
const LABEL_REQUIREMENT = [
  `!?\\s*${SELECTOR_KEY}`,
  `${SELECTOR_KEY}\\s*(?:=|==|!=)\\s*${SELECTOR_VALUE}`,
  `${SELECTOR_KEY}\\s+(?:in|notin)\\s*\\([^()]*\\)`,
  `${SELECTOR_KEY}\\s*[<>]\\s*\\d+`,
].join('|');
const LABEL_SELECTOR = new RegExp(`^\\s*(?:(?:${LABEL_REQUIREMENT})\\s*(?:,\\s*(?:${LABEL_REQUIREMENT})\\s*)*)?$`);
const FIELD_SELECTOR = /^(?:[^=!,]+(?:==|!=|=)[^=,]*(?:,[^=!,]+(?:==|!=|=)[^=,]*)*)?$/;
/** Longer selectors are refused before a regex sees them. */
const MAX_SELECTOR_LENGTH = 1024;

const selector = z
  .strictObject({ role: role, label: text.default(''), field: text.default('') })
  .superRefine((value, context) => {
    if (value.field.length > MAX_SELECTOR_LENGTH || !FIELD_SELECTOR.test(value.field)) {
      context.addIssue({ code: 'custom', message: `invalid field selector: "${value.field.slice(0, 120)}"` });
    }
    if (value.label.length > MAX_SELECTOR_LENGTH || !LABEL_SELECTOR.test(value.label)) {
      context.addIssue({ code: 'custom', message: `invalid label selector: "${value.label.slice(0, 120)}"` });
    }
  });

const kubernetes = z
  .strictObject({
    ...httpClientFields,
    role: optional(role),
    api_server: optional(url),
    kubeconfig_file: text.optional(),
    namespaces: section(z.strictObject({ own_namespace: bool.default(false), names: list(text) })),
    selectors: list(selector),
    attach_metadata: section(
      z.strictObject({
        node: bool.default(false),
        namespace: bool.default(false),
        deployment: bool.default(false),
        job: bool.default(false),
        cronjob: bool.default(false),
      }),
    ),
  })
  .transform((config, context) => {
    const complain = (message: string) => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    const { role: own } = config;
    if (own === undefined)
      return complain('role missing (one of: pod, service, endpoints, endpointslice, node, ingress)');
    const problem = httpClientProblem(config);
    if (problem !== undefined) return complain(problem);
    // The server set to "" is the cluster's own, as without the field, but counts as given: Prometheus says so too.
    const hasServer = config.api_server !== undefined;
    const hasKubeconfig = (config.kubeconfig_file ?? '') !== '';
    const ownHttpClient = !isDefaultHttpClient(config);
    if (hasServer && hasKubeconfig) return complain("cannot use 'kubeconfig_file' and 'api_server' simultaneously");
    if (hasKubeconfig && ownHttpClient) {
      return complain("cannot use a custom HTTP client configuration together with 'kubeconfig_file'");
    }
    if (!hasServer && ownHttpClient) {
      return complain("to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
    }
    if (config.namespaces.own_namespace && (hasServer || hasKubeconfig)) {
      const other = hasServer ? 'api_server' : 'kubeconfig_file';
      return complain(`cannot use '${other}' and 'namespaces.own_namespace' simultaneously`);
    }
    const seen = new Set<string>();
    for (const { role: selected } of config.selectors) {
      if (seen.has(selected)) return complain(`duplicated selector role: ${selected}`);
      seen.add(selected);
      if (!SELECTOR_ROLES[own].includes(selected)) {
        return complain(`${own} role supports only ${SELECTOR_ROLES[own].join(', ')} selectors`);
      }
    }
    return { ...withAuthorization(config), role: own };
  });

const FILE_PATTERN = /^[^*]*(?:\*[^/]*)?\.(?:json|yml|yaml|JSON|YML|YAML)$/;

const file = z
  .strictObject({ files: list(text), refresh_interval: duration.default(300_000) })
  .superRefine((config, context) => {
    if (config.files.length === 0) {
      context.addIssue({
        code: 'custom',
        message: 'file service discovery config must contain at least one path name',
      });
    }
    for (const name of config.files) {
      if (!FILE_PATTERN.test(name)) {
        context.addIssue({ code: 'custom', message: `path name "${name}" is not valid for file discovery` });
      }
    }
  });

const http = z
  .strictObject({ ...httpClientFields, url: text.default(''), refresh_interval: duration.default(60_000) })
  .transform((config, context) => {
    const problem = urlProblem(config.url) ?? httpClientProblem(config);
    if (problem === undefined) return withAuthorization(config);
    context.addIssue({ code: 'custom', message: problem });
    return z.NEVER;
  });

function urlProblem(address: string): string | undefined {
  if (address === '') return 'URL is missing';
  if (!/^https?:/i.test(address)) return "URL scheme must be 'http' or 'https'";
  if (!/^https?:\/\/[^/?#]/i.test(address)) return 'host is missing in URL';
  return URL.canParse(address) ? undefined : `not a valid URL: "${address.slice(0, 120)}"`;
}

const dns = z
  .strictObject({
    names: list(text),
    refresh_interval: duration.default(30_000),
    type: text.default('SRV'),
    port: integer.default(0),
  })
  .superRefine((config, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message });
    if (config.names.length === 0) complain('DNS-SD config must contain at least one SRV record name');
    const type = config.type.toUpperCase();
    if (['A', 'AAAA', 'MX', 'NS'].includes(type)) {
      if (config.port === 0) complain('a port is required in DNS-SD configs for all record types except SRV');
    } else if (type !== 'SRV') complain(`invalid DNS-SD records type ${config.type}`);
  });

/** Mechanisms of Prometheus that no part of Promlet serves: accepted as lists, their items unread. */
export const FOREIGN_MECHANISMS = [
  'aws',
  'azure',
  'consul',
  'digitalocean',
  'docker',
  'dockerswarm',
  'ec2',
  'ecs',
  'elasticache',
  'eureka',
  'gce',
  'hetzner',
  'ionos',
  'kuma',
  'lightsail',
  'linode',
  'marathon',
  'msk',
  'nerve',
  'nomad',
  'oci',
  'openstack',
  'outscale',
  'ovhcloud',
  'puppetdb',
  'rds',
  'scaleway',
  'serverset',
  'stackit',
  'triton',
  'uyuni',
  'vultr',
] as const;

const foreign = Object.fromEntries(
  FOREIGN_MECHANISMS.map((name) => [`${name}_sd_configs`, optional(list(z.looseObject({})))]),
);

export const discoveryFields = {
  ...foreign,
  static_configs: list(staticConfig, 'static config'),
  kubernetes_sd_configs: list(kubernetes, 'kubernetes_sd config'),
  file_sd_configs: list(file, 'file_sd config'),
  http_sd_configs: list(http, 'http_sd config'),
  dns_sd_configs: list(dns, 'dns_sd config'),
};

/** A static target that is a URL, which only relabelling could make an address. */
export function staticTargetProblem(config: {
  readonly relabel_configs: readonly unknown[];
  readonly static_configs: readonly { readonly targets: readonly string[] }[];
}): string | undefined {
  if (config.relabel_configs.length > 0) return undefined;
  const bad = config.static_configs.flatMap((group) => group.targets).find((target) => target.includes('/'));
  return bad === undefined ? undefined : `"${bad}" is not a valid hostname`;
}
