import type { Found, TargetMetadata, TargetsSnapshot } from '../../lib/api/index.ts';
import type { Clock } from '../../lib/env/index.ts';
import type { Kernels } from '../../lib/kernels/index.ts';
import type { Matcher } from '../../lib/model/index.ts';
import { MemoryBudget } from '../../lib/promql/index.ts';
import { createWireCodec, type HttpTransport, nodeTransport } from '../../lib/remote/index.ts';
import type { Queryable, SeriesExemplars } from '../../lib/storage/index.ts';
import type { AgentsDirectory } from './directory.ts';
import { FederatedQuerier } from './federated-querier.ts';
import { type AskOptions, federatedExemplars, federatedMetadata, federatedScrapePools } from './federated-metadata.ts';
import { federatedTargets } from './federated-targets.ts';
import { FEDERATION_LIMITS, type FederationLimits } from './limits.ts';

export interface FederationOptions {
  readonly directory: AgentsDirectory;
  readonly kernels: Kernels;
  readonly clock: Clock;
  readonly limits?: Partial<FederationLimits>;
  /** What holds where a request does not say: whether a missing node is a warning or an error. */
  readonly partialResponseDefault: boolean;
  /** Default: keep-alive HTTP. */
  readonly transport?: HttpTransport;
}

export interface PartialResponse {
  readonly partialResponse?: boolean | undefined;
  /** Of the request; one of `maxQueryBytes` when left out. */
  readonly budget?: MemoryBudget | undefined;
}

export interface Federation {
  /**
   * All agents as one storage, for one query: its memory is shared by all queriers made from it.
   * Selections fail with `federation/partial` when a node is missing and partial answers are not wanted, and as
   * `MemoryBudget.hold`.
   */
  queryable(options?: PartialResponse): Queryable;
  /** Active and dropped targets of all agents; a missing node as in a selection. */
  targets(options?: AgentQuestion): Promise<TargetsSnapshot>;
  scrapePools(options?: AgentQuestion): Promise<Found<{ names: readonly string[] }>>;
  metadata(options?: AgentQuestion): Promise<Found<{ targets: readonly TargetMetadata[] }>>;
  /** Of the series that one of the matcher sets selects, within [minMs, maxMs]. */
  exemplars(
    minMs: number,
    maxMs: number,
    matcherSets: readonly (readonly Matcher[])[],
    options?: AgentQuestion,
  ): Promise<Found<{ series: readonly SeriesExemplars[] }>>;
  close(): void;
}

export type AgentQuestion = PartialResponse & { readonly signal?: AbortSignal };

/** One per process; connections to the agents are kept and shared by all queries. */
export function createFederation(options: FederationOptions): Federation {
  const { directory, clock, kernels, partialResponseDefault } = options;
  const limits = { ...FEDERATION_LIMITS, ...options.limits };
  const codec = createWireCodec(kernels);
  const transport =
    options.transport ??
    nodeTransport({ maxIdlePerHost: limits.maxIdlePerAgent, connectTimeoutMs: limits.connectTimeoutMs });

  const newBudget = (): MemoryBudget => new MemoryBudget({ maxBytes: limits.maxQueryBytes });
  const asked = ({
    partialResponse = partialResponseDefault,
    budget = newBudget(),
    signal,
  }: AgentQuestion = {}): AskOptions => ({
    directory,
    clock,
    limits,
    partialResponse,
    transport,
    budget,
    signal,
  });

  return {
    queryable({ partialResponse = partialResponseDefault, budget = newBudget() } = {}) {
      const shared = { directory, clock, limits, partialResponse, transport, codec, budget };
      return { querier: (minTimeMs, maxTimeMs) => new FederatedQuerier(shared, minTimeMs, maxTimeMs) };
    },
    targets: (question) => federatedTargets(asked(question)),
    scrapePools: (question) => federatedScrapePools(asked(question)),
    metadata: (question) => federatedMetadata(asked(question)),
    exemplars: (minMs, maxMs, matcherSets, question) => federatedExemplars(asked(question), minMs, maxMs, matcherSets),
    close() {
      transport.close();
    },
  };
}
