export { CONFIG_KEY, HASH_ANNOTATION, Publisher, type PublisherOptions, type SecretName } from './publisher.ts';
export { ConfigRenderer, type GlobalOptions } from './renderer.ts';
