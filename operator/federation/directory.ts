/** An agent that can be asked. */
export interface Agent {
  /** Name of the node whose series it owns. */
  readonly node: string;
  /** Root of its HTTP API, without a slash at the end. */
  readonly url: string;
  readonly podName: string;
  /** What Kubernetes thinks of it; it is asked in any case. */
  readonly ready: boolean;
}

/** A node whose series cannot be asked for. */
export interface MissingAgent {
  readonly node: string;
  readonly reason: string;
}

/** Which agents exist, as of now; both lists sorted by node. */
export interface AgentsDirectory {
  agents(): readonly Agent[];
  missing(): readonly MissingAgent[];
}

/** A fixed list, for tests and for agents outside Kubernetes. */
export function staticDirectory(urlByNode: Readonly<Record<string, string>>): AgentsDirectory {
  const agents = Object.entries(urlByNode)
    .map(([node, url]) => ({ node, url: url.replace(/\/+$/, ''), podName: '', ready: true }))
    .sort((a, b) => (a.node < b.node ? -1 : 1));
  return { agents: () => agents, missing: () => [] };
}
