export { DiscoveryManager, type DiscoveryOptions } from './manager.ts';
