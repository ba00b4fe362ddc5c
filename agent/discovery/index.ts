export { DiscoveryManager, type DiscoveryOptions, type TargetMemory } from './manager.ts';
