/** Every bound of the fan-out. */
export interface FederationLimits {
  /** How long one agent may take for one answer, ms. */
  readonly agentTimeoutMs: number;
  /** How long a TCP connection may take, ms: a node that is gone answers nothing at all. */
  readonly connectTimeoutMs: number;
  /** Agents asked at the same time by one request. */
  readonly maxConcurrentAgents: number;
  /** One agent's series, and what a request without a memory budget holds at a time of all agents, bytes. */
  readonly maxQueryBytes: number;
  /** One agent's JSON answer (labels, values, series, targets), bytes. */
  readonly maxJsonBytes: number;
  /** Idle connections kept open to each agent. */
  readonly maxIdlePerAgent: number;
}

export const FEDERATION_LIMITS: FederationLimits = {
  agentTimeoutMs: 10_000,
  connectTimeoutMs: 3_000,
  maxConcurrentAgents: 128,
  maxQueryBytes: 512 << 20,
  maxJsonBytes: 32 << 20,
  maxIdlePerAgent: 4,
};
