import { objectKey } from '../../lib/kube/index.ts';
import type { Pod, Service } from './objects.ts';
import { selects, selectsPods } from './service-endpoints.ts';

/**
 * Finds the Services that select a pod without asking each: a Service is filed under the first pair of its selector, which
 * a selected pod must carry.
 */
export class ServiceIndex {
  /** `namespace\nlabel\nvalue` → Services by `namespace/name`. */
  readonly #byPair = new Map<string, Map<string, Service>>();

  add(service: Service): void {
    const pair = pairOf(service);
    if (pair === undefined) return;
    let services = this.#byPair.get(pair);
    if (services === undefined) this.#byPair.set(pair, (services = new Map()));
    services.set(objectKey(service), service);
  }

  remove(service: Service): void {
    const pair = pairOf(service);
    const services = pair === undefined ? undefined : this.#byPair.get(pair);
    services?.delete(objectKey(service));
    if (services?.size === 0) this.#byPair.delete(pair!);
  }

  *selecting(pod: Pod): Generator<Service> {
    const { namespace = '', labels = {} } = pod.metadata;
    for (const [name, value] of Object.entries(labels)) {
      for (const service of this.#byPair.get(`${namespace}\n${name}\n${value}`)?.values() ?? []) {
        if (selects(service, pod)) yield service;
      }
    }
  }
}

function pairOf(service: Service): string | undefined {
  if (!selectsPods(service)) return undefined;
  const [name, value] = Object.entries(service.spec.selector!)[0]!;
  return `${service.metadata.namespace ?? ''}\n${name}\n${value}`;
}
