import type { Server } from 'node:http';
import { hostname } from 'node:os';
import type { Clock, Logger } from '../../lib/env/index.ts';
import { createKubeClient, EventRecorder, type KubeClient, LeaderElector } from '../../lib/kube/index.ts';
import { ConfigRenderer, Publisher } from '../publish/index.ts';
import { StatusWriter } from '../status/index.ts';
import { Controller } from './controller.ts';
import { CredentialStore } from './credential-store.ts';
import type { OperatorFlags } from './flags.ts';
import { createRoutes, listen, portOf } from './http.ts';
import { OperatorMetrics } from './metrics.ts';
import { MonitorWatch } from './monitor-watch.ts';
import { MonitorResolver } from './resolver.ts';

export interface OperatorOptions {
  readonly flags: OperatorFlags;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Ours among the replicas; default: host name and pid. */
  readonly identity?: string;
}

/** A running operator. */
export interface Operator {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Starts all parts: the API first, so that health is answered while the API server is away.
 * @throws PromletError `kube/bad-config`; Error when the address is taken
 */
export async function startOperator(options: OperatorOptions): Promise<Operator> {
  const { flags, logger } = options;
  const client = await createKubeClient({ server: flags.apiserver, kubeconfig: flags.kubeconfig });
  const metrics = new OperatorMetrics();
  const writing = createWritingSide(options, client, metrics);
  const server = await listen(
    createRoutes(metrics, () => writing.isReady()),
    flags.listen,
  );
  writing.start();
  logger.info({ port: portOf(server), apiServer: client.server }, 'operator started');
  return {
    port: portOf(server),
    async stop() {
      await writing.stop();
      await closeServer(server);
      client.close();
    },
  };
}

interface WritingSide {
  isReady(): boolean;
  start(): void;
  stop(): Promise<void>;
}

/** From monitors to the config Secret and the statuses. */
function createWritingSide(options: OperatorOptions, client: KubeClient, metrics: OperatorMetrics): WritingSide {
  const { flags, logger, clock } = options;
  const { agentConfigSecret: secret } = flags;
  const identity = options.identity ?? `${hostname()}_${process.pid}`;

  const events = new EventRecorder({
    client,
    reportingController: 'promlet.dev/operator',
    reportingInstance: identity,
    logger,
    clock,
  });
  const status = new StatusWriter({ client, events, logger, clock });
  const watch = new MonitorWatch({
    client,
    logger,
    metrics,
    namespaces: flags.namespaces,
    denyNamespaces: flags.denyNamespaces,
    onChange: () => controller.trigger(),
    onDelete: (resource, key) => status.forget(resource, key),
  });
  const elector = new LeaderElector({
    client,
    namespace: secret.namespace,
    // The Lease stands for the right to write the Secret, and is named after it.
    name: secret.name,
    identity,
    logger,
    clock,
    onStartedLeading: () => controller.trigger(),
  });
  const credentials = new CredentialStore(client);
  const renderer = new ConfigRenderer(flags);
  const controller = new Controller({
    watch,
    resolver: new MonitorResolver(flags, credentials, renderer),
    credentials,
    renderer,
    publisher: new Publisher({ client, secret, logger }),
    status,
    isLeader: () => !flags.leaderElect || elector.isLeader,
    metrics,
    logger,
    clock,
  });
  return {
    isReady: () => watch.isComplete,
    start() {
      watch.start();
      if (flags.leaderElect) elector.start();
      // Kinds whose CRD is missing never report a change.
      controller.trigger();
    },
    async stop() {
      await controller.stop();
      await Promise.all([watch.stop(), flags.leaderElect ? elector.stop() : undefined]);
    },
  };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeAllConnections();
  });
}
