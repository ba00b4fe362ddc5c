export { type Agent, type AgentsDirectory, type MissingAgent, staticDirectory } from './directory.ts';
export { createFederation, type Federation, type FederationOptions, type PartialResponse } from './federation.ts';
export { AGENT_LABEL_SELECTOR, type AgentPod, kubernetesDirectory, type ObjectStore } from './kubernetes-directory.ts';
export { FEDERATION_LIMITS, type FederationLimits } from './limits.ts';
