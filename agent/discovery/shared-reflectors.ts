import type { Clock, Logger, Random } from '../../lib/env/index.ts';
import { type KubeClient, type KubeObject, Reflector, type Resource, type Selection } from '../../lib/kube/index.ts';

export interface SharedReflectorOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * One reflector per distinct selection, however many jobs ask for it, and across reloads. Users are counted: apply a
 * configuration by acquiring for the new jobs before releasing the old ones, and what both use keeps running.
 */
export class SharedReflectors {
  readonly #options: SharedReflectorOptions;
  readonly #entries = new Map<string, { reflector: Reflector<KubeObject>; users: number }>();

  constructor(options: SharedReflectorOptions) {
    this.#options = options;
  }

  /** A running reflector; `release` it as often as it was acquired. `transform` goes with the resource. */
  acquire<T extends KubeObject>(
    resource: Resource,
    selection: Selection,
    transform: (object: T) => T,
  ): { readonly reflector: Reflector<T>; readonly release: () => Promise<void> } {
    const { namespace = '', fieldSelector = '', labelSelector = '' } = selection;
    const key = [resource.group, resource.plural, namespace, fieldSelector, labelSelector].join('\n');
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const reflector = new Reflector<T>({ ...this.#options, ...selection, resource, transform });
      reflector.start();
      entry = { reflector: reflector as unknown as Reflector<KubeObject>, users: 0 };
      this.#entries.set(key, entry);
    }
    const held = entry;
    held.users++;
    const release = async (): Promise<void> => {
      held.users--;
      if (held.users > 0) return;
      this.#entries.delete(key);
      await held.reflector.stop();
    };
    return { reflector: held.reflector as unknown as Reflector<T>, release };
  }

  /** Why the API server is not reachable or refuses us, per resource; empty when all is well. */
  errors(): string[] {
    return [...this.#entries.values()].flatMap(({ reflector }) => reflector.lastError?.message ?? []);
  }
}
