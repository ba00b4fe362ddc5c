import type { ConfigurationStatus } from './configuration.ts';
import type { ActiveTarget } from '../lib/api/index.ts';

/** `/api/v1/status/agent`: what the operator wants to know of an agent, in one small answer. */
export interface AgentStatus {
  readonly node: string;
  readonly version: string;
  /** SHA-256 of the YAML in force, hex; '' before the first. */
  readonly configHash: string;
  readonly configSource: string;
  /** RFC 3339; '' before the first. */
  readonly configAppliedAt: string;
  /** Why the newest configuration is not in force; '' when it is. */
  readonly configError: string;
  /** Jobs of the configuration in force that this agent cannot serve, by name, with the reason. */
  readonly jobErrors: Readonly<Record<string, string>>;
  /** Why news of the configuration may not arrive; '' when they do. */
  readonly configSourceError: string;
  readonly discoveryErrors: readonly string[];
  /** By job: how many targets there are and how many answered their last scrape. */
  readonly targets: Readonly<Record<string, TargetCount>>;
}

export interface TargetCount {
  readonly up: number;
  readonly total: number;
}

export interface AgentStatusParts {
  readonly node: string;
  readonly version: string;
  readonly configuration: ConfigurationStatus;
  readonly sourceError: string | undefined;
  readonly discoveryErrors: readonly string[];
  readonly targets: readonly ActiveTarget[];
}

export function agentStatus(parts: AgentStatusParts): AgentStatus {
  const { hash, source, appliedAtMs, lastError, jobErrors } = parts.configuration;
  return {
    node: parts.node,
    version: parts.version,
    configHash: hash,
    configSource: source,
    configAppliedAt: appliedAtMs === undefined ? '' : new Date(appliedAtMs).toISOString(),
    configError: lastError ?? '',
    jobErrors: record(jobErrors),
    configSourceError: parts.sourceError ?? '',
    discoveryErrors: parts.discoveryErrors,
    targets: countByJob(parts.targets),
  };
}

function countByJob(targets: readonly ActiveTarget[]): Record<string, TargetCount> {
  const counts = new Map<string, { up: number; total: number }>();
  for (const { scrapePool, health } of targets) {
    let count = counts.get(scrapePool);
    if (count === undefined) counts.set(scrapePool, (count = { up: 0, total: 0 }));
    count.total++;
    if (health === 'up') count.up++;
  }
  return record(counts);
}

/** Without prototype: any string may be a job's name. */
function record<T>(map: ReadonlyMap<string, T>): Record<string, T> {
  return Object.assign(Object.create(null) as Record<string, T>, Object.fromEntries(map));
}
