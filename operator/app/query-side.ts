import Koa from 'koa';
import { type ApiDeps, buildInfo, createApi, RequestMemory } from '../../lib/api/index.ts';
import type { Clock, Logger } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { type KubeClient, type KubeObject, NODES, PODS, Reflector } from '../../lib/kube/index.ts';
import { Labels } from '../../lib/model/index.ts';
import { Engine, FEATURE_NAMES, featuresOf, PER_STEP_STATS } from '../../lib/promql/index.ts';
import { createWireCodec, remoteRead } from '../../lib/remote/index.ts';
import type { Querier } from '../../lib/storage/index.ts';
import { type AgentPod, createFederation, type Federation, kubernetesDirectory } from '../federation/index.ts';
import { flagValues, type OperatorFlags } from './flags.ts';
import type { OperatorMetrics } from './metrics.ts';

export interface QuerySideOptions {
  readonly flags: OperatorFlags;
  readonly version: string;
  readonly client: KubeClient;
  readonly metrics: OperatorMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** The agents of the cluster as one Prometheus. */
export interface QuerySide {
  readonly app: Koa;
  /** Whether the agents are known. */
  isReady(): boolean;
  start(): void;
  stop(): Promise<void>;
}

/** @param isReady of the whole program: before that, queries are answered with 503 */
export function createQuerySide(options: QuerySideOptions, isReady: () => boolean): QuerySide {
  const { client, flags, logger, clock, metrics } = options;
  const pods = new Reflector<AgentPod>({
    client,
    resource: PODS,
    namespace: flags.agentConfigSecret.namespace,
    labelSelector: flags.agentSelector,
    logger,
    metrics,
    clock,
  });
  const nodes = new Reflector<KubeObject>({ client, resource: NODES, logger, metrics, clock, transform: nameOnly });
  const directory = kubernetesDirectory(pods, nodes);
  const kernels = createKernels();
  const federation = createFederation({ directory, kernels, clock, partialResponseDefault: true });
  const memory = new RequestMemory(flags.queryMaxBytes, flags.queryMaxTotalBytes);
  const read = remoteRead({
    queryable: { querier: (minMs, maxMs) => countedQuerier(federation, memory, minMs, maxMs) },
    codec: createWireCodec(kernels),
    logger: logger.child({ component: 'remote-read' }),
  });

  for (const name of flags.enabledFeatures) {
    if (!FEATURE_NAMES.includes(name)) logger.warn({ option: name }, 'unknown option for --enable-feature');
  }
  const features = featuresOf(flags.enabledFeatures);
  const deps: ApiDeps = {
    queryable: (request) => federation.queryable(request),
    targets: (request) => federation.targets(request),
    scrapePools: (request) => federation.scrapePools(request),
    targetMetadata: (request) => federation.metadata(request),
    exemplars: (request, minMs, maxMs, matcherSets, signal) =>
      federation.exemplars(minMs, maxMs, matcherSets, { ...request, signal }),
    memory,
    remote: () => [read],
    externalLabels: () => Labels.of(flags.externalLabels),
    corsOrigin: flags.corsOrigin,
    features: { prometheus: { agent_mode: false, auto_reload_config: false, server_mode: true } },
    engine: new Engine({ clock, timeoutMs: flags.queryTimeoutMs, maxBytes: flags.queryMaxBytes, features }),
    promqlFeatures: features,
    perStepStats: flags.enabledFeatures.includes(PER_STEP_STATS),
    limits: { queryTimeoutMs: flags.queryTimeoutMs },
    clock,
    log: logger.child({ component: 'api' }),
    ready: isReady,
    build: buildInfo(options.version),
    flags: flagValues(flags),
    lifecycle: false,
    metricsText: () => metrics.registry.metrics(),
  };
  const app = new Koa();
  app.on('error', (error: unknown) => logger.warn({ error: String(error) }, 'request failed'));
  app.use(async (context, next) => {
    // prometheus-operator's path of health.
    if (context.path === '/healthz') context.body = '{"status":"up"}';
    else await next();
  });
  app.use(createApi(deps));

  return {
    app,
    isReady: () => pods.hasSynced && nodes.hasSynced,
    start() {
      pods.start();
      nodes.start();
    },
    async stop() {
      await Promise.all([pods.stop(), nodes.stop()]);
      directory.close();
      federation.close();
    },
  };
}

/** One with memory of its own: of a request of remote read nothing else is held. */
function countedQuerier(federation: Federation, memory: RequestMemory, minMs: number, maxMs: number): Querier {
  const { budget, close } = memory.open();
  const querier = federation.queryable({ budget }).querier(minMs, maxMs);
  return {
    select: (sorted, hints, matchers) => querier.select(sorted, hints, matchers),
    labelNames: (hints, matchers) => querier.labelNames(hints, matchers),
    labelValues: (name, hints, matchers) => querier.labelValues(name, hints, matchers),
    close() {
      querier.close();
      close();
    },
  };
}

/** Which nodes exist is all that is asked. */
function nameOnly({ metadata: { name = '', resourceVersion = '' } }: KubeObject): KubeObject {
  return { metadata: { name, resourceVersion } };
}
