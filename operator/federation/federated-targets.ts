import { Annotations } from '../../lib/model/index.ts';
import type { HttpTransport } from '../../lib/remote/index.ts';
import { bad, getJson, isObject, objects } from './agent-api.ts';
import { fanOut, type FanOutOptions } from './fan-out.ts';

/** `data` of `/api/v1/targets`, of all agents together; the entries are theirs, unchanged. */
export interface FederatedTargets {
  readonly activeTargets: readonly Readonly<Record<string, unknown>>[];
  readonly droppedTargets: readonly Readonly<Record<string, unknown>>[];
  /** By scrape pool, summed over the agents. */
  readonly droppedTargetCounts: Readonly<Record<string, number>>;
  readonly annotations: Annotations;
}

/** Parameters of `/api/v1/targets`, passed on. */
export interface TargetsRequest {
  readonly state?: 'active' | 'dropped' | 'any';
  readonly scrapePool?: string;
}

export async function federatedTargets(
  options: FanOutOptions & { readonly transport: HttpTransport },
  { state, scrapePool }: TargetsRequest,
): Promise<FederatedTargets> {
  const parameters = new URLSearchParams();
  if (state !== undefined) parameters.set('state', state);
  if (scrapePool !== undefined) parameters.set('scrapePool', scrapePool);
  const path = `/api/v1/targets?${parameters.toString()}`;
  const annotations = new Annotations();
  const answers = await fanOut(options, annotations, async (agent, signal) => {
    const data = await getJson(options.transport, agent, path, options.limits.maxJsonBytes, annotations, signal);
    if (!isObject(data)) throw bad(path, 'data is not an object');
    return {
      active: objects(data['activeTargets'] ?? [], path),
      dropped: objects(data['droppedTargets'] ?? [], path),
      droppedCounts: isObject(data['droppedTargetCounts']) ? data['droppedTargetCounts'] : {},
    };
  });

  const droppedTargetCounts = Object.create(null) as Record<string, number>;
  for (const { value } of answers) {
    for (const [pool, count] of Object.entries(value.droppedCounts)) {
      if (typeof count === 'number') droppedTargetCounts[pool] = (droppedTargetCounts[pool] ?? 0) + count;
    }
  }
  return {
    activeTargets: answers.flatMap(({ value }) => value.active),
    droppedTargets: answers.flatMap(({ value }) => value.dropped),
    droppedTargetCounts,
    annotations,
  };
}
