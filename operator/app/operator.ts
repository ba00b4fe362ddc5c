import { hostname } from 'node:os';
import { listen } from '../../lib/api/index.ts';
import type { Clock, Logger } from '../../lib/env/index.ts';
import { createKubeClient } from '../../lib/kube/index.ts';
import type { OperatorFlags } from './flags.ts';
import { OperatorMetrics } from './metrics.ts';
import { createQuerySide } from './query-side.ts';
import { createWritingSide } from './writing-side.ts';

export interface OperatorOptions {
  readonly flags: OperatorFlags;
  readonly version: string;
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
 * @throws PromletError `kube/bad-config`, `api/bad-address`, `api/listen`
 */
export async function startOperator(options: OperatorOptions): Promise<Operator> {
  const { flags, logger, version, identity = `${hostname()}_${process.pid}` } = options;
  const client = await createKubeClient({
    server: flags.apiserver,
    kubeconfig: flags.kubeconfig,
    userAgent: `promlet-operator/${version}`,
  });
  const parts = { ...options, identity, client, metrics: new OperatorMetrics() };
  const writing = createWritingSide(parts);
  const queries = createQuerySide(parts, () => writing.isReady() && queries.isReady());
  const listening = await listen(queries.app, flags.listenAddress);
  queries.start();
  writing.start();
  logger.info({ port: listening.port, apiServer: client.server }, 'operator started');
  return {
    port: listening.port,
    async stop() {
      await writing.stop();
      await listening.close();
      await queries.stop();
      client.close();
    },
  };
}
