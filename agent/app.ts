import { hostname } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import Koa from 'koa';
import { createWireCodec, remoteRead, remoteWrite, type WireCodec } from '../lib/remote/index.ts';
import { type ApiDeps, buildInfo, createApi, listen, type Listening } from '../lib/api/index.ts';
import {
  parseConfigInProcess,
  type ScrapeConfig,
  showConfigInProcess,
  unsupportedSections,
} from '../lib/config/index.ts';
import type { AppendFiles, Clock, FileSystem, Logger, Random } from '../lib/env/index.ts';
import { createKernels } from '../lib/kernels/index.ts';
import { createKubeClient, type KubeClient } from '../lib/kube/index.ts';
import { assert, Labels, PromletError } from '../lib/model/index.ts';
import { Engine, FEATURE_NAMES } from '../lib/promql/index.ts';
import { openTsdb, type ReplayProgress, type RetentionOptions, type Tsdb, WorkerRunner } from '../lib/tsdb/index.ts';
import { ConfigLoader } from './config-loader.ts';
import { type ConfigSource, FileConfigSource, SecretConfigSource } from './config-source.ts';
import { Configuration, type Served } from './configuration.ts';
import { DiscoveryManager } from './discovery/index.ts';
import { type AgentFlags, flagValues } from './flags.ts';
import { LastGoodConfig } from './last-good-config.ts';
import { LastKnownTargets } from './last-known-targets.ts';
import { createMetrics } from './metrics.ts';
import { engineOptions, Queries } from './query/index.ts';
import { QueryLog } from './query-log.ts';
import { QueryMonitor } from './query-monitor.ts';
import { ScrapeManager } from './scrape/index.ts';
import { requireAll, servedJobs } from './served-jobs.ts';
import { agentStatus } from './status.ts';
import { storageApi, walReplayStatus } from './storage-api.ts';
import { describeRetention, flaggedRetention, storageSettings } from './storage-settings.ts';

export interface AgentOptions {
  readonly flags: AgentFlags;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly files: FileSystem & AppendFiles;
  readonly logger: Logger;
  /** For the service account; of it a configuration sees `CONFIG_VARIABLES` only. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Somebody asked over HTTP that the agent stop. */
  readonly onQuit?: () => void;
}

/** A running agent. */
export interface Agent {
  readonly port: number;
  /** @throws why the newest configuration is not in force; the old one stays */
  reload(): Promise<void>;
  /** Ends scrapes and queries, writes out what is buffered, closes the data directory. */
  stop(): Promise<void>;
}

/** How many exemplars are read from the log; the configuration, which comes later, says how many of those are kept. */
const REPLAYED_EXEMPLARS = 100_000;

/** Top-level sections of the configuration that are served. */
const SECTIONS = ['global', 'runtime', 'scrape_configs', 'storage'];

/**
 * For pages of blocks, in each query thread; and on the thread of the server, for small requests. Half of it takes 14 MB less of
 * the benchmark's RSS with two threads, and 4 % more CPU of all its queries, 7 % of instant ones.
 */
const QUERY_CACHE_BYTES = 8 << 20;
const SERVER_CACHE_BYTES = 8 << 20;

/** `$(NAME)` of these is expanded. Not of all variables: monitors of tenants end up in the configuration. */
const CONFIG_VARIABLES = ['NODE_NAME', 'POD_NAME', 'POD_NAMESPACE', 'POD_IP'];

/**
 * Starts an agent. It listens before the log is replayed and is ready after; whether a configuration is there yet does
 * not matter when it comes from a Secret.
 * @throws PromletError when the address, the data directory or the configuration file cannot be used
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const starting = new StartingAgent(options);
  try {
    return await starting.run();
  } catch (error) {
    await starting.stop();
    throw error;
  }
}

class StartingAgent implements Agent {
  readonly #options: AgentOptions;
  readonly #startedAtMs: number;
  /** What is running, in the order it was started; stopped in the opposite order. */
  readonly #stops: (() => void | Promise<void>)[] = [];
  readonly #configuration: Configuration;
  readonly #discovery: DiscoveryManager;
  #ready = false;
  #shownConfig: Promise<string> | undefined;
  readonly #queries: Queries;
  readonly #queryLog: QueryLog;
  readonly #queryMonitor: QueryMonitor;
  #tsdb: Tsdb | undefined;
  #retention: RetentionOptions;
  #replay: ReplayProgress | undefined;
  #scrape: ScrapeManager | undefined;
  #client: Promise<KubeClient> | undefined;
  #loader: ConfigLoader | undefined;
  #source: ConfigSource | undefined;
  #listening: Listening | undefined;
  #remote: readonly Koa.Middleware[] = [];
  #externalLabels = Labels.EMPTY;
  #outOfOrderWindowMs = 0;
  #jobs: readonly ScrapeConfig[] = [];
  #metricsText: () => Promise<string> | string = () => '';

  constructor(options: AgentOptions) {
    const { clock, random, flags, logger } = options;
    this.#options = options;
    this.#retention = flaggedRetention(flags);
    this.#queries = new Queries({
      // Only asked while ready.
      tsdb: () => this.#tsdb!,
      clock,
      logger: logger.child({ component: 'query' }),
      limits: { ...flags, cacheBytes: QUERY_CACHE_BYTES },
      threads: flags.queryMaxConcurrency,
    });
    this.#queryLog = new QueryLog({
      files: options.files,
      logger: logger.child({ component: 'query-log' }),
      now: () => clock.now(),
    });
    this.#queryMonitor = new QueryMonitor(this.#queryLog);
    this.#startedAtMs = clock.now() - process.uptime() * 1000;
    this.#discovery = new DiscoveryManager({
      nodeName: flags.nodeName,
      client: () => this.#kubeClient(),
      clock,
      random,
      logger: logger.child({ component: 'discovery' }),
      memory: new LastKnownTargets(flags.dataDir, options.files, logger),
      onGroups: (job, groups) => this.#scrape?.setTargetGroups(job, groups),
    });
    this.#configuration = new Configuration({
      clock,
      logger,
      parse: (text, signal) => this.#parse(text, signal),
      apply: (served) => this.#apply(served),
    });
  }

  get port(): number {
    return this.#listening!.port;
  }

  async run(): Promise<Agent> {
    const { flags, logger, clock, files, random, version } = this.#options;
    for (const name of flags.enabledFeatures) {
      if (!FEATURE_NAMES.includes(name)) logger.warn({ option: name }, 'unknown option for --enable-feature');
    }
    this.#stops.push(() => this.#queryLog.close());
    const listening = await listen(this.#httpApp(), flags.listenAddress);
    this.#listening = listening;
    this.#stops.push(() => listening.close());
    const kernels = createKernels();
    const tsdb = await openTsdb({
      dir: flags.dataDir,
      fileSystem: files,
      clock,
      logger: logger.child({ component: 'tsdb' }),
      kernels,
      limits: { headMemoryBytes: flags.headMemoryLimitBytes },
      minBlockDurationMs: flags.minBlockDurationMs,
      ...(flags.maxBlockDurationMs !== undefined && { maxBlockDurationMs: flags.maxBlockDurationMs }),
      walSegmentBytes: flags.walSegmentBytes,
      walCompression: flags.walCompression,
      walFsyncIntervalMs: flags.walFsyncIntervalMs,
      retention: this.#retention,
      maxExemplars: REPLAYED_EXEMPLARS,
      blockCacheBytes: SERVER_CACHE_BYTES,
      compactionRunner: new WorkerRunner(files),
      random,
      onReplayProgress: (progress) => (this.#replay = progress),
    });
    this.#tsdb = tsdb;
    this.#remote = this.#remoteMiddleware(tsdb, createWireCodec(kernels));
    this.#stops.push(() => tsdb.close());
    this.#stops.push(() => this.#queries.close());
    await this.#queries.warm();
    const scrape = new ScrapeManager({
      ...this.#options,
      logger: logger.child({ component: 'scrape' }),
      appendable: tsdb,
      kernels,
      offsetSeed: flags.nodeName ?? hostname(),
      externalHost: externalHost(flags),
    });
    this.#scrape = scrape;
    this.#stops.push(() => scrape.stop());
    this.#stops.push(() => this.#discovery.stop());
    const registry = createMetrics({
      version,
      tsdb,
      scrape,
      configuration: this.#configuration,
      queries: this.#queryMonitor,
      maxConcurrentQueries: this.#queries.threads.size,
      startedAtMs: this.#startedAtMs,
    });
    this.#metricsText = () => registry.metrics();
    const source = await this.#configSource();
    this.#source = source;
    const lastGood = flags.configSecret === undefined ? undefined : new LastGoodConfig(flags.dataDir, files);
    const loader = new ConfigLoader({ source, configuration: this.#configuration, lastGood, logger });
    this.#loader = loader;
    this.#stops.push(() => loader.stop());
    this.#stops.push(() => this.#configuration.close());
    await loader.start();
    this.#ready = true;
    logger.info({ port: listening.port, node: flags.nodeName, dataDir: flags.dataDir }, 'ready');
    return this;
  }

  async reload(): Promise<void> {
    const isNew = await this.#loader?.reload();
    // Also when nothing has changed: the file may have been moved away.
    if (isNew !== true) await this.#queryLog.reopen();
  }

  async stop(): Promise<void> {
    this.#ready = false;
    for (const stop of this.#stops.splice(0).reverse()) await stop();
    (await this.#client?.catch(() => undefined))?.close();
  }

  /** Made once; a failure is not kept, so that a reload may try again. */
  #kubeClient(): Promise<KubeClient> {
    const { flags, files, clock, env, version } = this.#options;
    this.#client ??= createKubeClient({
      kubeconfig: flags.kubeconfig,
      userAgent: `promlet-agent/${version}`,
      env,
      files,
      clock,
    }).catch((error: unknown) => {
      this.#client = undefined;
      throw error;
    });
    return this.#client;
  }

  async #configSource(): Promise<ConfigSource> {
    const { flags, files, clock, random, logger } = this.#options;
    const { configSecret, configFile } = flags;
    if (configSecret === undefined) return new FileConfigSource(configFile!, files);
    const client = await this.#kubeClient();
    return new SecretConfigSource({ client, secret: configSecret, clock, random, logger });
  }

  /** A file is taken whole or not at all; from a Secret, which holds the jobs of many, what can be served is. */
  async #parse(text: string, signal: AbortSignal): Promise<Served> {
    const config = await parseConfigInProcess(text, { environment: this.#environment(), signal });
    const missing = unsupportedSections(config, SECTIONS);
    if (missing.length > 0) throw new PromletError('config/unsupported', missing.join('; '));
    const served = await servedJobs(config.scrape_configs, (job) => this.#discovery.check(job));
    if (this.#options.flags.configSecret === undefined) requireAll(served);
    const externalLabels = Labels.of(config.global.external_labels);
    const queryLogFile = this.#fromConfig(config.global.query_log_file);
    return { ...served, storage: storageSettings(config.storage, this.#options.flags), externalLabels, queryLogFile };
  }

  /** A path of the configuration: from the directory that its file lies in. */
  #fromConfig(path: string | undefined): string | undefined {
    const { configFile } = this.#options.flags;
    if (!path || configFile === undefined || isAbsolute(path)) return path || undefined;
    return join(dirname(configFile), path);
  }

  async #apply({ jobs, storage, externalLabels, queryLogFile }: Served): Promise<void> {
    assert(this.#scrape !== undefined, 'agent: a configuration came before the scrape manager');
    // First: only this may fail.
    await this.#queryLog.use(queryLogFile);
    this.#tsdb!.configure(storage);
    this.#retention = { ...this.#retention, ...storage.retention };
    this.#externalLabels = externalLabels;
    this.#jobs = jobs;
    this.#outOfOrderWindowMs = storage.outOfOrderWindowMs ?? 0;
    this.#scrape.applyConfig(jobs);
    await this.#discovery.apply(jobs);
  }

  /** Made when asked for; requests that come meanwhile share it. */
  #showConfig(): Promise<string> {
    this.#shownConfig ??= showConfigInProcess(this.#configuration.text, {
      environment: this.#environment(),
    }).finally(() => (this.#shownConfig = undefined));
    return this.#shownConfig;
  }

  #environment(): Readonly<Record<string, string | undefined>> {
    const { env, flags } = this.#options;
    const variables = CONFIG_VARIABLES.filter((name) => env[name] !== undefined).map((name) => [name, env[name]]);
    return { ...Object.fromEntries(variables), ...(flags.nodeName && { NODE_NAME: flags.nodeName }) };
  }

  #httpApp(): Koa {
    const { logger } = this.#options;
    const app = new Koa();
    app.on('error', (error: unknown) => logger.warn({ error: String(error) }, 'request failed'));
    // Answered while the log is replayed, too.
    app.use(async (ctx, next) => {
      if (ctx.method !== 'GET' || ctx.path !== '/api/v1/status/agent') return next();
      ctx.body = { status: 'success', data: this.#status() };
    });
    app.use(createApi(this.#apiDeps()));
    return app;
  }

  #remoteMiddleware(tsdb: Tsdb, codec: WireCodec): Koa.Middleware[] {
    const { clock, flags, logger } = this.#options;
    const read = remoteRead({ queryable: tsdb, codec, logger });
    if (!flags.enableRemoteWriteReceiver) return [read];
    const takesLateSamples = (): boolean => this.#outOfOrderWindowMs > 0;
    return [read, remoteWrite({ appendable: tsdb, takesLateSamples, codec, clock, logger })];
  }

  #status() {
    const { flags, version } = this.#options;
    return agentStatus({
      node: flags.nodeName ?? '',
      version,
      configuration: this.#configuration.status,
      sourceError: this.#source?.lastError,
      discoveryErrors: this.#discovery.errors(),
      targets: this.#scrape?.snapshot().active ?? [],
    });
  }

  #apiDeps(): ApiDeps {
    const { flags, clock, logger, version } = this.#options;
    return {
      // Only asked while ready, when the database is open.
      queryable: () => this.#tsdb!,
      engine: new Engine({ ...engineOptions(flags), clock }),
      clock,
      promqlFeatures: flags.promqlFeatures,
      perStepStats: flags.perStepStats,
      queryObserver: this.#queryMonitor,
      log: logger.child({ component: 'api' }),
      ready: () => this.#ready,
      build: buildInfo(version),
      flags: flagValues(flags),
      lifecycle: flags.enableLifecycle,
      reload: () => this.reload(),
      config: () => this.#showConfig(),
      targets: () => this.#scrape!.snapshot(),
      metricsText: () => this.#metricsText(),
      runtime: () => ({
        startTimeMs: this.#startedAtMs,
        reloadConfigSuccess: this.#configuration.status.lastError === undefined,
        lastConfigTimeMs: this.#configuration.status.appliedAtMs ?? 0,
        corruptionCount: this.#tsdb!.stats().replay.damage.length,
        storageRetention: describeRetention(this.#retention),
      }),
      ...storageApi({ ...this.#options, dataDir: flags.dataDir, tsdb: () => this.#tsdb! }),
      walReplay: () => walReplayStatus(this.#replay),
      scrapePools: () => ({ names: this.#jobs.map((job) => job.job_name) }),
      relabelRules: (pool) => this.#jobs.find((job) => job.job_name === pool)?.relabel_configs,
      targetMetadata: () => ({ targets: this.#scrape!.metadata() }),
      remote: () => this.#remote,
      externalLabels: () => this.#externalLabels,
      lookbackDeltaMs: flags.queryLookbackDeltaMs,
      enableAdmin: flags.enableAdminApi,
      quit: this.#options.onQuit,
      corsOrigin: flags.corsOrigin,
      features: {
        api: { remote_write_receiver: flags.enableRemoteWriteReceiver },
        prometheus: { agent_mode: false, auto_reload_config: false, server_mode: true },
        tsdb: { exemplar_storage: true, isolation: true, native_histograms: true, xor2_encoding: false },
      },
      limits: { queryTimeoutMs: flags.queryTimeoutMs },
      endpoints: this.#queries.endpoints(),
    };
  }
}

/** What other hosts reach our node's loopback targets by. */
function externalHost(flags: AgentFlags): string {
  return flags.externalUrl === undefined ? hostname() : new URL(flags.externalUrl).hostname;
}
