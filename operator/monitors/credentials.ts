import type { SecretKeySelector, SecretOrConfigMap } from '../resources/index.ts';
import { rejection } from './rejection.ts';

/** A Secret or ConfigMap that a monitor takes a value from. */
export interface CredentialReference {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
}

/** Values of Secrets and ConfigMaps. @returns undefined when the object or its key does not exist */
export type CredentialSource = (reference: CredentialReference) => string | undefined;

/**
 * Reads credentials for one monitor. It is bound to the monitor's namespace: no field of a monitor can make it look
 * into another.
 */
export class CredentialReader {
  readonly #namespace: string;
  readonly #source: CredentialSource;

  constructor(namespace: string, source: CredentialSource) {
    this.#namespace = namespace;
    this.#source = source;
  }

  /** @throws PromletError `monitors/rejected` when it is missing and not optional */
  secret(selector: SecretKeySelector): string | undefined {
    return this.#read('Secret', selector);
  }

  secretOrConfigMap({ secret, configMap }: SecretOrConfigMap): string | undefined {
    if (secret !== undefined && configMap !== undefined) throw rejection('both secret and configMap are set');
    if (secret !== undefined) return this.#read('Secret', secret);
    return configMap === undefined ? undefined : this.#read('ConfigMap', configMap);
  }

  #read(
    kind: CredentialReference['kind'],
    { name = '', key, optional = false }: SecretKeySelector,
  ): string | undefined {
    if (name === '' || key === '') throw rejection(`${kind} reference without ${name === '' ? 'name' : 'key'}`);
    const value = this.#source({ kind, namespace: this.#namespace, name, key });
    if (value === undefined && !optional) throw rejection(`key "${key}" of ${kind} "${name}" does not exist`);
    return value;
  }
}
