import { Command, InvalidArgumentError, Option } from 'commander';
import { formatSize, parseSize } from '../../lib/config/index.ts';
import { compileRegex, errorMessage, formatDuration, parseDuration } from '../../lib/model/index.ts';
import {
  DEFAULT_MAX_QUERY_MEMORY_BYTES,
  DEFAULT_MAX_TOTAL_QUERY_MEMORY_BYTES,
  FEATURE_NAMES,
} from '../../lib/promql/index.ts';

export interface OperatorFlags {
  /** URL of an API server that asks for no credentials. */
  readonly apiserver?: string;
  readonly kubeconfig?: string;
  /** Namespaces of the monitors; empty: all. */
  readonly namespaces: readonly string[];
  readonly denyNamespaces: readonly string[];
  readonly agentConfigSecret: { readonly namespace: string; readonly name: string };
  /** Label selector of the agents' pods, in the namespace of the config Secret. */
  readonly agentSelector: string;
  readonly scrapeIntervalMs: number;
  readonly scrapeTimeoutMs?: number;
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly serviceDiscoveryRole: 'endpoints' | 'endpointslice';
  readonly leaderElect: boolean;
  readonly queryTimeoutMs: number;
  /** Of one query. */
  readonly queryMaxBytes: number;
  /** Of all of them together. */
  readonly queryMaxTotalBytes: number;
  /** Names given to `--enable-feature`. */
  readonly enabledFeatures: readonly string[];
  /** `HOST:PORT` or `:PORT`. */
  readonly listenAddress: string;
  /** Regex of allowed origins, anchored. */
  readonly corsOrigin: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

/**
 * The operator's command line; flags are named as prometheus-operator's and Prometheus's where these have them.
 * @param argv without the program's own name
 */
export function parseFlags(argv: readonly string[]): OperatorFlags {
  const values = command().parse(argv, { from: 'user' }).opts<Record<string, unknown>>();
  const namespaces = values['namespaces'] as string[];
  const denyNamespaces = values['denyNamespaces'] as string[];
  if (namespaces.length > 0 && denyNamespaces.length > 0) {
    command().error('error: --namespaces and --deny-namespaces exclude each other');
  }
  return {
    ...(values as unknown as OperatorFlags),
    scrapeIntervalMs: values['scrapeInterval'] as number,
    ...(values['scrapeTimeout'] === undefined ? {} : { scrapeTimeoutMs: values['scrapeTimeout'] as number }),
    externalLabels: Object.fromEntries(values['externalLabel'] as [string, string][]),
    queryTimeoutMs: values['query.timeout'] as number,
    queryMaxBytes: values['query.maxBytes'] as number,
    queryMaxTotalBytes: values['query.maxTotalBytes'] as number,
    enabledFeatures: values['enableFeature'] as string[],
    listenAddress: values['web.listenAddress'] as string,
    corsOrigin: values['web.cors.origin'] as string,
  };
}

function command(): Command {
  return new Command('promlet-operator')
    .allowExcessArguments(false)
    .description('Turns ServiceMonitors and PodMonitors into the configuration of the agents; answers for all of them.')
    .option('--apiserver <url>', 'API server without credentials (kubectl proxy); default: kubeconfig or in-cluster')
    .option('--kubeconfig <file>', 'kubeconfig; default: the service account of the pod')
    .addOption(parsed('--namespaces <list>', 'watch monitors of these namespaces only', list, [], 'all'))
    .addOption(parsed('--deny-namespaces <list>', 'ignore monitors of these namespaces', list, [], 'none'))
    .addOption(
      parsed(
        '--agent-config-secret <namespace/name>',
        'Secret that the agents read their configuration from; the Lease has its name too',
        namespacedName,
        { namespace: 'promlet', name: 'promlet-agent-config' },
        'promlet/promlet-agent-config',
      ),
    )
    .option(
      '--agent-selector <labels>',
      'label selector of the agent pods, in the namespace of the config Secret',
      'app.kubernetes.io/name=promlet,app.kubernetes.io/component=agent',
    )
    .addOption(parsed('--scrape-interval <duration>', 'of monitors that name none', duration, 30_000, '30s'))
    .option('--scrape-timeout <duration>', 'of monitors that name none (default: 10s)', duration)
    .addOption(parsed('--external-label <name=value>', 'of all agents; may be repeated', pair, [], 'none'))
    .addOption(
      new Option('--service-discovery-role <role>', 'discovery role of ServiceMonitors that name none')
        .choices(['endpoints', 'endpointslice'])
        .default('endpoints'),
    )
    .option('--no-leader-elect', 'write without holding the Lease; for a single replica')
    .addOption(parsed('--query.timeout <duration>', 'longest federated query', duration, 30_000, '30s'))
    .addOption(
      parsed(
        '--query.max-bytes <size>',
        'most memory a query may take, by estimate, with what agents sent for it',
        size,
        DEFAULT_MAX_QUERY_MEMORY_BYTES,
        '256MiB',
      ),
    )
    .addOption(
      parsed(
        '--query.max-total-bytes <size>',
        'most memory all queries may take together, likewise',
        size,
        DEFAULT_MAX_TOTAL_QUERY_MEMORY_BYTES,
        '256MiB',
      ),
    )
    .addOption(parsed('--enable-feature <names>', `of PromQL: ${FEATURE_NAMES.join(', ')}`, moreNames, [], 'none'))
    .option('--web.listen-address <address>', 'address to listen on', ':9090')
    .addOption(parsed('--web.cors.origin <regex>', 'origins that pages may ask from, anchored', regex, '.*', '".*"'))
    .addOption(new Option('--log-level <level>').choices(['debug', 'info', 'warn', 'error']).default('info'));
}

/** Flag → value as text, for the status page. */
export function flagValues(flags: OperatorFlags): Record<string, string> {
  const { namespace, name } = flags.agentConfigSecret;
  return {
    'agent-config-secret': `${namespace}/${name}`,
    'agent-selector': flags.agentSelector,
    apiserver: flags.apiserver ?? '',
    'deny-namespaces': flags.denyNamespaces.join(','),
    'enable-feature': flags.enabledFeatures.join(','),
    kubeconfig: flags.kubeconfig ?? '',
    'leader-elect': String(flags.leaderElect),
    'log-level': flags.logLevel,
    namespaces: flags.namespaces.join(','),
    'query.max-bytes': formatSize(flags.queryMaxBytes),
    'query.max-total-bytes': formatSize(flags.queryMaxTotalBytes),
    'query.timeout': formatDuration(flags.queryTimeoutMs),
    'scrape-interval': formatDuration(flags.scrapeIntervalMs),
    'service-discovery-role': flags.serviceDiscoveryRole,
    'web.cors.origin': flags.corsOrigin,
    'web.listen-address': flags.listenAddress,
  };
}

/** An option with a value of its own type; `shown` is its default as the help prints it. */
function parsed<T>(
  name: string,
  description: string,
  parse: (text: string, previous: T) => T,
  initial: T,
  shown: string,
): Option {
  return new Option(name, description).argParser(parse).default(initial, shown);
}

function list(text: string): string[] {
  return text.split(',').filter((item) => item !== '');
}

function moreNames(text: string, previous: readonly string[]): string[] {
  return [...previous, ...list(text)];
}

function duration(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error));
  }
}

function regex(text: string): string {
  try {
    compileRegex(text);
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error));
  }
  return text;
}

function size(text: string): number {
  const sizeBytes = parseSize(text);
  if (sizeBytes === undefined || sizeBytes <= 0) throw new InvalidArgumentError('not a size like 256MiB');
  return sizeBytes;
}

function namespacedName(text: string): { namespace: string; name: string } {
  const [namespace = '', name = '', ...rest] = text.split('/');
  if (namespace === '' || name === '' || rest.length > 0) throw new InvalidArgumentError('want NAMESPACE/NAME');
  return { namespace, name };
}

function pair(text: string, previous: readonly [string, string][]): [string, string][] {
  const equals = text.indexOf('=');
  if (equals <= 0) throw new InvalidArgumentError('want NAME=VALUE');
  return [...previous, [text.slice(0, equals), text.slice(equals + 1)]];
}
