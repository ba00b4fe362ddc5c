import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { formatSize, parseSize } from '../lib/config/index.ts';
import type { ObjectName } from '../lib/kube/index.ts';
import { compileRegex, errorMessage, formatDuration, parseDuration } from '../lib/model/index.ts';
import {
  DEFAULT_MAX_TOTAL_QUERY_MEMORY_BYTES,
  FEATURE_NAMES,
  featuresOf,
  PER_STEP_STATS,
  type PromqlFeatures,
} from '../lib/promql/index.ts';

/** Each takes up to 45 MB: more have to be asked for. */
const MOST_THREADS = 4;

/** The command line, checked. Durations are ms. */
export interface AgentFlags {
  /** Exactly one of these two. */
  readonly configFile: string | undefined;
  readonly configSecret: Required<ObjectName> | undefined;
  readonly dataDir: string;
  /** Bytes; 0: no limit. */
  readonly headMemoryLimitBytes: number;
  /** Undefined when not given. */
  readonly retentionTimeMs: number | undefined;
  readonly retentionSizeBytes: number | undefined;
  readonly minBlockDurationMs: number;
  /** Undefined: a tenth of the retention, at most 31 days. */
  readonly maxBlockDurationMs: number | undefined;
  readonly walSegmentBytes: number;
  readonly walCompression: 'none' | 'snappy';
  readonly walFsyncIntervalMs: number;
  /** `HOST:PORT` or `:PORT`. */
  readonly listenAddress: string;
  readonly externalUrl: string | undefined;
  readonly enableLifecycle: boolean;
  readonly enableAdminApi: boolean;
  readonly enableRemoteWriteReceiver: boolean;
  /** Regex of allowed origins, anchored. */
  readonly corsOrigin: string;
  readonly nodeName: string | undefined;
  readonly kubeconfig: string | undefined;
  readonly queryTimeoutMs: number;
  /** As many threads answer queries. */
  readonly queryMaxConcurrency: number;
  readonly queryMaxSamples: number;
  /** Of one query. */
  readonly queryMaxBytes: number;
  /** Of all of them together. */
  readonly queryMaxTotalBytes: number;
  readonly queryLookbackDeltaMs: number;
  /** Names given to `--enable-feature`. */
  readonly enabledFeatures: readonly string[];
  readonly promqlFeatures: PromqlFeatures;
  readonly perStepStats: boolean;
  readonly logLevel: string;
}

/** As `/api/v1/status/flags` shows them: name → value in the flag's own notation. */
export function flagValues(flags: AgentFlags): Record<string, string> {
  const secret = flags.configSecret;
  return {
    'config.file': flags.configFile ?? '',
    'kube.config-secret': secret === undefined ? '' : `${secret.namespace}/${secret.name}`,
    'enable-feature': flags.enabledFeatures.join(','),
    kubeconfig: flags.kubeconfig ?? '',
    'log.level': flags.logLevel,
    'node-name': flags.nodeName ?? '',
    'query.lookback-delta': formatDuration(flags.queryLookbackDeltaMs),
    'query.max-bytes': formatSize(flags.queryMaxBytes),
    'query.max-concurrency': String(flags.queryMaxConcurrency),
    'query.max-samples': String(flags.queryMaxSamples),
    'query.max-total-bytes': formatSize(flags.queryMaxTotalBytes),
    'query.timeout': formatDuration(flags.queryTimeoutMs),
    'storage.tsdb.head-memory-limit': formatSize(flags.headMemoryLimitBytes),
    'storage.tsdb.max-block-duration':
      flags.maxBlockDurationMs === undefined ? '' : formatDuration(flags.maxBlockDurationMs),
    'storage.tsdb.min-block-duration': formatDuration(flags.minBlockDurationMs),
    'storage.tsdb.path': flags.dataDir,
    'storage.tsdb.retention.size': formatSize(flags.retentionSizeBytes ?? 0),
    'storage.tsdb.retention.time': formatDuration(flags.retentionTimeMs ?? 0),
    'storage.tsdb.wal-compression': String(flags.walCompression !== 'none'),
    'storage.tsdb.wal-fsync-interval': formatDuration(flags.walFsyncIntervalMs),
    'storage.tsdb.wal-segment-size': formatSize(flags.walSegmentBytes),
    'web.cors.origin': flags.corsOrigin,
    'web.enable-admin-api': String(flags.enableAdminApi),
    'web.enable-lifecycle': String(flags.enableLifecycle),
    'web.enable-remote-write-receiver': String(flags.enableRemoteWriteReceiver),
    'web.external-url': flags.externalUrl ?? '',
    'web.listen-address': flags.listenAddress,
  };
}

/**
 * Reads the flags; those that Prometheus has carry its names and meanings. Prints help or the version and exits when
 * asked, and exits with status 1 and a message on a wrong flag.
 * @param args without the program's name
 */
export function parseFlags(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  version: string,
): AgentFlags {
  const command = agentCommand(version);
  command.parse(args, { from: 'user' });
  const flags = command.opts<Record<string, unknown>>();
  const configFile = flags['config.file'] as string | undefined;
  const enabledFeatures = flags['enableFeature'] as readonly string[];
  const configSecret = flags['kube.configSecret'] as Required<ObjectName> | undefined;
  if (configFile !== undefined && configSecret !== undefined) {
    command.error('error: --config.file and --kube.config-secret exclude each other');
  }
  return {
    configFile: configSecret === undefined ? (configFile ?? 'prometheus.yml') : undefined,
    configSecret,
    dataDir: flags['storage.tsdb.path'] as string,
    headMemoryLimitBytes: flags['storage.tsdb.headMemoryLimit'] as number,
    retentionTimeMs: flags['storage.tsdb.retention.time'] as number | undefined,
    retentionSizeBytes: flags['storage.tsdb.retention.size'] as number | undefined,
    minBlockDurationMs: flags['storage.tsdb.minBlockDuration'] as number,
    maxBlockDurationMs: flags['storage.tsdb.maxBlockDuration'] as number | undefined,
    walSegmentBytes: flags['storage.tsdb.walSegmentSize'] as number,
    walCompression: flags['storage.tsdb.walCompression'] === false ? 'none' : 'snappy',
    walFsyncIntervalMs: flags['storage.tsdb.walFsyncInterval'] as number,
    listenAddress: flags['web.listenAddress'] as string,
    externalUrl: flags['web.externalUrl'] as string | undefined,
    enableLifecycle: flags['web.enableLifecycle'] as boolean,
    enableAdminApi: flags['web.enableAdminApi'] as boolean,
    enableRemoteWriteReceiver: flags['web.enableRemoteWriteReceiver'] as boolean,
    corsOrigin: flags['web.cors.origin'] as string,
    nodeName: (flags['nodeName'] as string | undefined) ?? (env['NODE_NAME'] || undefined),
    kubeconfig: flags['kubeconfig'] as string | undefined,
    queryTimeoutMs: flags['query.timeout'] as number,
    queryMaxConcurrency: flags['query.maxConcurrency'] as number,
    queryMaxSamples: flags['query.maxSamples'] as number,
    queryMaxBytes: flags['query.maxBytes'] as number,
    queryMaxTotalBytes: flags['query.maxTotalBytes'] as number,
    queryLookbackDeltaMs: flags['query.lookbackDelta'] as number,
    enabledFeatures,
    promqlFeatures: featuresOf(enabledFeatures),
    perStepStats: enabledFeatures.includes(PER_STEP_STATS),
    logLevel: flags['log.level'] as string,
  };
}

function agentCommand(version: string): Command {
  return new Command('promlet-agent')
    .description('Scrapes the pods of its node into a local Prometheus TSDB and answers PromQL on it.')
    .version(version)
    .allowExcessArguments(false)
    .addHelpText('after', '\nCommands:\n  tsdb  works on a data directory instead; see promlet-agent tsdb --help')
    .option('--config.file <path>', 'Prometheus configuration file (default: "prometheus.yml")')
    .option('--kube.config-secret <namespace/name>', 'watch the configuration in this Secret instead', parseName)
    .option('--kubeconfig <path>', 'kubeconfig of the API server (default: the service account of the pod)')
    .option('--node-name <name>', 'the node to discover pods on (default: $NODE_NAME)')
    .option('--storage.tsdb.path <path>', 'data directory', 'data/')
    .addOption(
      new Option('--storage.tsdb.head-memory-limit <size>', 'memory for recent samples; new series are refused first')
        .argParser(toSizeBytes)
        .default(1 << 30, '"1GiB"; 0: no limit'),
    )
    .addOption(
      new Option(
        '--storage.tsdb.retention.time <duration>',
        'how long samples are kept (default: "15d", unless a size is given); `storage.tsdb.retention` of the configuration goes first',
      ).argParser(toDurationMs),
    )
    .addOption(
      new Option(
        '--storage.tsdb.retention.size <size>',
        'most disk that blocks, log and head chunks may take',
      ).argParser(toSizeBytes),
    )
    .addOption(duration('--storage.tsdb.min-block-duration <duration>', 'range of a block made of the head', '2h'))
    .addOption(
      new Option(
        '--storage.tsdb.max-block-duration <duration>',
        'range of the largest block (default: a tenth of the retention, at most 31d)',
      ).argParser(toDurationMs),
    )
    .addOption(
      new Option('--storage.tsdb.wal-segment-size <size>', 'size of a file of the log, 10MB to 256MB')
        .argParser(toSegmentBytes)
        .default(128 << 20, '"128MiB"'),
    )
    .addOption(
      duration(
        '--storage.tsdb.wal-fsync-interval <duration>',
        'how often the log is synced: what a power loss may cost',
        '5s',
      ),
    )
    .option('--storage.tsdb.wal-compression', 'compress the log with snappy', true)
    .option('--no-storage.tsdb.wal-compression', 'do not')
    .option('--web.listen-address <address>', 'address to serve HTTP on', '0.0.0.0:9090')
    .option('--web.external-url <url>', 'the URL under which the agent is reached from outside', parseUrl)
    .option('--web.enable-lifecycle', 'serve /-/reload and /-/quit (on by default, unlike in Prometheus)', true)
    .option('--no-web.enable-lifecycle', 'do not')
    .option('--web.enable-admin-api', 'serve what deletes series and makes snapshots', false)
    .option('--web.enable-remote-write-receiver', 'take samples by remote write at /api/v1/write', false)
    .option('--web.cors.origin <regex>', 'origins that pages may ask from, anchored', parseRegex, '.*')
    .addOption(duration('--query.timeout <duration>', 'longest run time of a query', '30s'))
    .addOption(
      new Option('--query.max-concurrency <count>', 'most queries that run at a time, each on a thread')
        .argParser(parseCount)
        .default(Math.min(MOST_THREADS, availableParallelism()), `CPUs, at most ${MOST_THREADS}`),
    )
    .option('--query.max-samples <count>', 'most samples a query may load', parseCount, 50_000_000)
    .addOption(
      new Option('--query.max-bytes <size>', 'most memory a query may take, as the engine estimates it')
        .argParser(toMemoryBytes)
        .default(256 * 2 ** 20, '"256MiB"'),
    )
    .addOption(
      new Option('--query.max-total-bytes <size>', 'most memory all queries may take together, likewise')
        .argParser(toMemoryBytes)
        .default(DEFAULT_MAX_TOTAL_QUERY_MEMORY_BYTES, '"256MiB"'),
    )
    .addOption(duration('--query.lookback-delta <duration>', 'how far back a sample counts as current', '5m'))
    .addOption(
      new Option('--enable-feature <names>', `of PromQL, by comma: ${FEATURE_NAMES.join(', ')}`)
        .argParser((text: string, before: readonly string[]) => [...before, ...text.split(',').filter(Boolean)])
        .default([], '""'),
    )
    .addOption(
      new Option('--log.level <level>', 'least severe messages to log')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    );
}

function duration(flags: string, description: string, fallback: string): Option {
  return new Option(flags, description).argParser(toDurationMs).default(parseDuration(fallback), `"${fallback}"`);
}

function toDurationMs(text: string): number {
  let durationMs: number;
  try {
    durationMs = parseDuration(text);
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error));
  }
  if (durationMs === 0) throw new InvalidArgumentError('must be above zero');
  return durationMs;
}

function toSizeBytes(text: string): number {
  const sizeBytes = parseSize(text);
  if (sizeBytes === undefined || sizeBytes < 0) throw new InvalidArgumentError('not a size like 512MiB');
  return sizeBytes;
}

function toSegmentBytes(text: string): number {
  const sizeBytes = toSizeBytes(text);
  if (sizeBytes < 10 << 20 || sizeBytes > 256 << 20) throw new InvalidArgumentError('must be between 10MB and 256MB');
  return sizeBytes;
}

function toMemoryBytes(text: string): number {
  const sizeBytes = toSizeBytes(text);
  if (sizeBytes === 0) throw new InvalidArgumentError('must be above zero');
  return sizeBytes;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count <= 0) throw new InvalidArgumentError('not a whole number above zero');
  return count;
}

function parseRegex(text: string): string {
  try {
    compileRegex(text);
  } catch (error) {
    throw new InvalidArgumentError(errorMessage(error));
  }
  return text;
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw new InvalidArgumentError('not an http(s) URL');
  return url.href.replace(/\/+$/, '');
}

function parseName(text: string): Required<ObjectName> {
  const match = /^([a-z0-9.-]+)\/([a-z0-9.-]+)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('not NAMESPACE/NAME');
  return { namespace: match[1]!, name: match[2]! };
}
