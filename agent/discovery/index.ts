export { DiscoveryManager, type DiscoveryOptions, type TargetGroups } from './manager.ts';
