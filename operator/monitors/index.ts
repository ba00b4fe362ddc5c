export type { CredentialReference, CredentialSource } from './credentials.ts';
export { MONITOR_KINDS, type MonitorKind, type MonitorResult, resolveMonitor } from './generate.ts';
export type { MonitorOptions } from './job.ts';
