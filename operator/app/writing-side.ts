import type { Clock, Logger } from '../../lib/env/index.ts';
import { EventRecorder, type KubeClient, LeaderElector } from '../../lib/kube/index.ts';
import { ConfigRenderer, Publisher } from '../publish/index.ts';
import { StatusWriter } from '../status/index.ts';
import { Controller } from './controller.ts';
import { CredentialStore } from './credential-store.ts';
import type { OperatorFlags } from './flags.ts';
import type { OperatorMetrics } from './metrics.ts';
import { MonitorWatch } from './monitor-watch.ts';
import { MonitorResolver } from './resolver.ts';

export interface WritingSideOptions {
  readonly flags: OperatorFlags;
  readonly client: KubeClient;
  readonly metrics: OperatorMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Ours among the replicas. */
  readonly identity: string;
}

/** From monitors to the config Secret and the statuses. */
export interface WritingSide {
  /** Whether the monitors are known. */
  isReady(): boolean;
  start(): void;
  stop(): Promise<void>;
}

export function createWritingSide(options: WritingSideOptions): WritingSide {
  const { flags, client, metrics, logger, clock, identity } = options;
  const { agentConfigSecret: secret } = flags;
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
